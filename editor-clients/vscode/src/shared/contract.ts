/** What the language server's commands take and answer, and what it tells by itself: docs/protocol.md. */

export interface Position {
  line: number;
  character: number;
}

export interface Range {
  start: Position;
  end: Position;
}

/** The one JSON object that a command takes. Where: `uri` with `anchor` (the server's own) or `position`. */
export interface Arguments {
  uri?: string;
  position?: Position;
  anchor?: unknown;
  feature?: string;
  name?: string;
  strength?: number;
  quiet?: boolean;
  [member: string]: unknown;
}

/** What a suggestion did to one feature. Presence: the share of reference passages that have less, 0 to 1. */
export interface Effect {
  feature: string;
  name: string;
  strength: number;
  before: number;
  after: number;
}

/**
 * `effect`: in one line. `fluency`: against an unsteered continuation; 1 is as fluent. `fit`: how much likelier the text
 * that follows has become, in nats a token; null where nothing follows. `notes`: what else is to be said, in words.
 */
export interface Measured {
  effect: string;
  effects: Effect[];
  side_effects: Effect[];
  fluency: number;
  fit: number | null;
  notes: string[];
  seed: number;
  model: string;
}

/** `loss`: what a rewrite has no place for; "" where nothing is lost. */
export interface Candidate extends Measured {
  text: string;
  loss: string;
}

/** Best first. `range`: what each takes the place of; `stronger`, `weaker`: strengths, null where there is none. */
export interface Candidates {
  id: string;
  title: string;
  stronger: number | null;
  weaker: number | null;
  seed: number;
  range: Range;
  candidates: Candidate[];
}

/** What came of putting one in. `id`: of its receipt; `stands`: false where it was left out in a preview. */
export interface Taken {
  id: string;
  stands: boolean;
}

/** `stands`: the suggested text is still there, untouched. */
export interface Receipt extends Measured {
  id: string;
  title: string;
  kind: string;
  line: number;
  stands: boolean;
}

/** Of one that was put in before the draft was opened: where its text is now is not known. `made`: when, ISO 8601. */
export interface Earlier extends Measured {
  made: string;
  title: string;
  kind: string;
  line: number;
}

/** Newest first. */
export interface Receipts {
  receipts: Receipt[];
  earlier: Earlier[];
}

/** `steers`: null while that is not known. `origin`: the dial file, or the editor's settings alone. */
export interface Pinned {
  name: string;
  feature: string | null;
  strength: number;
  steers: boolean | null;
  presence: number | null;
  origin: "dials" | "settings";
}

export interface Carried {
  feature: string;
  name: string;
  presence: number;
  bar: string;
  steers: boolean | null;
}

export interface Features {
  pinned: Pinned[];
  silenced: string[];
  paragraph: { range: Range; fresh: boolean; features: Carried[] } | null;
}

/** One presence for each feature; null where it is not listed, or nothing is `read` yet. `pending`: still to be read. */
export interface DraftMap {
  features: { feature: string; name: string }[];
  paragraphs: { range: Range; read: boolean; presence: (number | null)[] }[];
  pending: number;
}

export interface Hit {
  feature: string;
  name: string;
  words: string;
  steers: boolean | null;
}

export type EngineState = "starting" | "loading" | "ready" | "failed" | "lost";

/** `undersong/status`, and the answer of the command of that name. `progress`: 0 to 1; `warnings`: of its SAEs. */
export interface Status {
  state: EngineState;
  message: string;
  progress: number;
  model: string;
  device: string;
  dtype: string;
  context: number;
  saes: string[];
  clients: number;
  memory_bytes: number;
  weights_bytes: number;
  caches_bytes: number;
  budget_bytes: number;
  warnings: string[];
}

/** `undersong/changed`: what is worth asking for again, and of which draft (null: of every one). */
export interface Changed {
  uri: string | null;
  what: "readings" | "dials" | "receipts";
}

export const MIN_STRENGTH = -1;
export const MAX_STRENGTH = 1.5;
