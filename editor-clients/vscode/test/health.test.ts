import { icon, lines, NOTHING, type Now } from "../src/shared/health.ts";
import { check } from "./check.ts";

const READY: Now = { ...NOTHING, state: "ready", message: "ready" };
const told = check((more: Partial<Now>) => [icon({ ...READY, ...more }), ...lines({ ...READY, ...more })]);

told("what is not known is left out", [{}], ["book", "Undersong: ready"]);
told("what is likely wrong with an SAE is told, and the icon warns",
  [{ warnings: ["the SAE explains little"], model: "m" }],
  ["warning", "Undersong: ready", "Warning: the SAE explains little", "Model: m"]);
told("an engine that failed says so first", [{ state: "failed", warnings: ["w"] }], ["error", "Undersong: ready", "Warning: w"]);
told("what it takes", [{ device: "cpu", dtype: "float32", context: 1024, memory_bytes: 4.1e8, clients: 2 }],
  ["book", "Undersong: ready", "Device: cpu, float32", "Context: 1,024 tokens", "Memory: 410 MB", "Editors: 2"]);
told("what of the memory is what",
  [{ memory_bytes: 4.1e8, weights_bytes: 2.5e7, caches_bytes: 1.2e7, budget_bytes: 9.3e8 }],
  ["book", "Undersong: ready", "Memory: 410 MB of 930 MB (weights 25 MB, caches 12 MB)"]);
