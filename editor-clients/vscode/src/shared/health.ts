/** How the server and its engine are, in words, and what helps. */

import type { EngineState, Status } from "./contract.ts";
import { bytes } from "./words.ts";

/** `missing`: no server was found; `misset`: a setting names none; `stopped`: it is not running. The others are the server's own. */
export interface Now extends Omit<Status, "state"> {
  state: EngineState | "missing" | "misset" | "stopped";
}

/** Of a server that says nothing. */
export const NOTHING: Omit<Status, "state" | "message"> = {
  progress: 0,
  model: "",
  device: "",
  dtype: "",
  context: 0,
  saes: [],
  clients: 0,
  memory_bytes: 0,
  weights_bytes: 0,
  caches_bytes: 0,
  budget_bytes: 0,
  warnings: [],
};

/** What a person may do about it: a button, and the command that it runs. */
export interface Remedy {
  label: string;
  command: string;
  arguments: string[];
}

export const REMEDIES: Readonly<Partial<Record<Now["state"], Remedy>>> = {
  missing: { label: "Set Up", command: "undersong.setUp", arguments: [] },
  misset: { label: "Settings", command: "workbench.action.openSettings", arguments: ["@id:undersong.path,undersong.interpreter"] },
  stopped: { label: "Restart", command: "undersong.restart", arguments: [] },
};

const ICONS: Readonly<Record<Now["state"], string>> = {
  starting: "loading~spin",
  loading: "loading~spin",
  ready: "book",
  failed: "error",
  lost: "warning",
  missing: "warning",
  misset: "warning",
  stopped: "circle-slash",
};

/** The name of one of VS Code's icons. */
export function icon({ state, warnings }: Pick<Now, "state" | "warnings">): string {
  return state === "ready" && warnings.length > 0 ? "warning" : ICONS[state];
}

/** What there is to say of the server and its engine; what is not known is left out. */
export function lines(now: Now): string[] {
  const found = [`Undersong: ${now.message}`, ...now.warnings.map((warning) => `Warning: ${warning}`)];
  if (now.model !== "") found.push(`Model: ${now.model}`);
  if (now.device !== "") found.push(`Device: ${now.device}${now.dtype === "" ? "" : `, ${now.dtype}`}`);
  if (now.context > 0) found.push(`Context: ${now.context.toLocaleString("en")} tokens`);
  if (now.saes.length > 0) found.push(`SAEs: ${now.saes.join(", ")}`);
  if (now.memory_bytes > 0) found.push(`Memory: ${bytes(now.memory_bytes)}${parts(now)}`);
  if (now.clients > 0) found.push(`Editors: ${now.clients}`);
  return found;
}

/** What of the memory is what, once it is known. */
function parts(now: Now): string {
  if (now.budget_bytes === 0) return "";
  return ` of ${bytes(now.budget_bytes)} (weights ${bytes(now.weights_bytes)}, caches ${bytes(now.caches_bytes)})`;
}
