/**
 * Matches an optimizer's numbered parameters with names whose order is lost, as in safetensors. torch numbers parameters
 * in the order in which the modules of the model were made: a walk of the tree that the names spell, the parameters of
 * a module before its children, lists by number. Which child comes first is searched for, the shapes deciding, and
 * convention where they do not (`q_proj` before `k_proj`, embeddings first, heads last).
 */

/** A parameter with a name. */
export interface NamedShape {
  name: string;
  shape: readonly number[];
}

/** A parameter group: the shapes of its parameters in order, `undefined` where nothing is known of one. */
export interface NumberedGroup {
  shapes: readonly (readonly number[] | undefined)[];
  /** The group's weight decay; of two that fit, vectors go into the one with less. */
  decay: number;
}

/** Children of a module whose order is searched for; more (flat names of a whole model) are taken as convention has it. */
const SEARCHED_CHILDREN_MAX = 64;
/** Modules below modules; guards the call stack against a name of many dots. */
const DEPTH_MAX = 24;
/** Steps of a search, fixed and for each parameter. Guards time: a model with no match could try all orders. */
const STEPS_MIN = 20_000;
const STEPS_EACH = 100;

/** Parts of names in the order in which they usually come inside their module. */
const CONVENTION: readonly RegExp[] = [
  /^(weight|kernel)$/,
  /^(cls|mask|dist).*token/,
  /(^|_)(wte|tok|token|word|embed_tokens|embed_in|shared)(_?emb.*)?$|word_emb/,
  /(^|_)(wpe|pos|position|positional)(_?emb.*)?$/,
  /token_type/,
  /embed|patch|stem/,
  /^conv_?1|^(ln|norm|layernorm|layer_norm)_?1$|^norm_?before|^input_(layer)?norm/,
  /^(bn|gn)_?1$/,
  /^(in_proj|qkv|c_attn|query_key_value|wqkv|attn_qkv)/,
  /^(q|wq|query|q_proj|q_lin|to_q)$/,
  /^(k|wk|key|k_proj|k_lin|to_k)$/,
  /^(v|wv|value|v_proj|v_lin|to_v)$/,
  /^(o|wo|o_proj|out_proj|out_lin|to_out|attn_out|out@attention)$/,
  /^(self)?_?(attn|attention|mixer)$|self_attn|^mha$/,
  /^(ln|norm|layernorm|layer_norm)_?2$|^conv_?2|^post_attention|attn_layer_norm/,
  /^(bn|gn)_?2$/,
  /^(cross_?attn|encoder_attn|norm_?3|ln_?3|conv_?3)/,
  /^(gate|gate_proj|w1|wi|wi_0|fc_?1|lin1|linear1|c_fc|up|up_proj|intermediate|dense_h_to_4h)$/,
  /^(w3|wi_1|u_proj)$/,
  /^(mlp|ffn|ff|feed_forward)$/,
];
const CONVENTION_END: readonly RegExp[] = [
  /^(down|down_proj|w2|fc_?2|lin2|linear2|c_proj|dense_4h_to_h|output)$/,
  /^(input_|pre_)?(layer_?norm|layernorm)$/i,
  /^(final|post_ff|post_feed).*norm|final_layer_norm/,
  /^(ln_f|ln_post|f_norm|ln|norm|norm_f)$/,
  /^(fc|out|pooler|dropout|score|classifier|lm_head|head|heads|output_projection|cls)$/,
  /^bias$/,
];

/**
 * Returns, for each group, which of `parameters` each of its numbers is, or undefined when there is no such order.
 * `given`: the parameters are in the order of the model already.
 */
export function matchOrder(
  groups: readonly NumberedGroup[],
  parameters: readonly NamedShape[],
  order: 'given' | 'unknown',
): number[][] | undefined {
  const wanted = groups.reduce((sum, { shapes }) => sum + shapes.length, 0);
  if (wanted !== parameters.length || wanted === 0) return undefined;
  const search = new OrderSearch(groups, parameters);
  const fits =
    order === 'given'
      ? parameters.every((_, index) => search.take(index))
      : search.walk(treeOf(parameters), 0);
  return fits ? search.taken : undefined;
}

interface ModuleNode {
  parameter: number | undefined;
  children: Map<string, ModuleNode>;
  /** The children as convention has them, once they are all there. */
  sorted?: Child[];
}

function treeOf(parameters: readonly NamedShape[]): ModuleNode {
  const root: ModuleNode = { parameter: undefined, children: new Map() };
  for (const [index, { name }] of parameters.entries()) {
    let node = root;
    const segments = name.split('.');
    for (const segment of [...segments.slice(0, DEPTH_MAX), segments.slice(DEPTH_MAX).join('.')]) {
      if (segment === '') continue;
      const child: ModuleNode = node.children.get(segment) ?? { parameter: undefined, children: new Map() };
      node.children.set(segment, child);
      node = child;
    }
    node.parameter = index;
  }
  return root;
}

class OrderSearch {
  readonly taken: number[][];
  private readonly groups: readonly NumberedGroup[];
  private readonly parameters: readonly NamedShape[];
  /** The groups of the parameters taken, in order, to give them back. */
  private readonly trail: number[] = [];
  private stepsLeft: number;

  constructor(groups: readonly NumberedGroup[], parameters: readonly NamedShape[]) {
    this.groups = groups;
    this.parameters = parameters;
    this.taken = groups.map(() => []);
    this.stepsLeft = STEPS_MIN + STEPS_EACH * parameters.length;
  }

  /** Takes the parameter as the next of a group. */
  take(parameter: number): boolean {
    this.stepsLeft--;
    const { shape } = this.parameters[parameter];
    let best = -1;
    for (const [at, { shapes, decay }] of this.groups.entries()) {
      const next = this.taken[at].length;
      const fits = next < shapes.length && fitsShape(shapes[next], shape);
      if (!fits) continue;
      const better =
        best >= 0 && (shape.length > 1 ? decay > this.groups[best].decay : decay < this.groups[best].decay);
      if (best < 0 || better) best = at;
    }
    if (best < 0) return false;
    this.taken[best].push(parameter);
    this.trail.push(best);
    return true;
  }

  /** Takes all parameters of a module in the first order that fits; takes none if there is none. */
  walk(node: ModuleNode, depth: number): boolean {
    const mark = this.trail.length;
    node.sorted ??= inConvention(node.children);
    const children = node.sorted;
    const listed = children.every(({ name }) => /^\d+$/.test(name));
    const isFixed = listed || children.length > SEARCHED_CHILDREN_MAX;
    const fits =
      (node.parameter === undefined || this.take(node.parameter)) &&
      (isFixed
        ? children.every((child) => this.walk(child.node, depth + 1))
        : this.walkInSomeOrder(children, depth));
    if (!fits) this.giveBack(mark);
    return fits;
  }

  private walkInSomeOrder(children: readonly Child[], depth: number): boolean {
    if (children.length === 0) return true;
    const leaves = children.filter(({ node }) => node.children.size === 0);
    for (const child of leaves.length > 0 ? leaves : children) {
      if (this.stepsLeft <= 0) return false;
      const mark = this.trail.length;
      if (!this.walk(child.node, depth + 1)) continue;
      const others = children.filter((other) => other !== child);
      if (this.walkInSomeOrder(others, depth)) return true;
      this.giveBack(mark);
    }
    return false;
  }

  private giveBack(mark: number): void {
    while (this.trail.length > mark) this.taken[this.trail.pop() ?? 0].pop();
  }
}

interface Child {
  name: string;
  node: ModuleNode;
}

function inConvention(children: ReadonlyMap<string, ModuleNode>): Child[] {
  // What is called `out` ends a model, but in attention only that.
  const attends = [...children.keys()].some((name) => /^(to_)?(q|wq|query|in_proj|c_attn)/.test(name));
  const ranked = [...children].map(([name, node]) => {
    return { name, node, rank: rankOf(name === 'out' && attends ? 'out@attention' : name) };
  });
  return ranked.sort((a, b) => a.rank - b.rank || compareNames(a.name, b.name));
}

function rankOf(name: string): number {
  const first = CONVENTION.findIndex((pattern) => pattern.test(name));
  if (first >= 0) return first;
  const last = CONVENTION_END.findIndex((pattern) => pattern.test(name));
  return CONVENTION.length + 1 + last;
}

/** Numbers inside names by value: `layer2` before `layer10`. */
function compareNames(a: string, b: string): number {
  const [left, right] = [a, b].map((name) => name.replace(/\d{1,15}/g, (digits) => digits.padStart(15, '0')));
  return left < right ? -1 : left > right ? 1 : 0;
}

function fitsShape(wanted: readonly number[] | undefined, shape: readonly number[]): boolean {
  return (
    wanted === undefined || (wanted.length === shape.length && wanted.every((size, at) => size === shape[at]))
  );
}
