/// <reference path="./postgate-plugin-types.d.ts" />
declare module 'postgate:plugin/on-rcpt@0.1.0' {
  /**
   * Decide on the recipient. The names of parameters are in capitals.
   */
  export function onRcpt(recipient: string, parameters: Array<Pair>): RcptAnswer;
  export type Pair = import('postgate:plugin/types@0.1.0').Pair;
  export type RcptVerdict = import('postgate:plugin/types@0.1.0').RcptVerdict;
  export type RcptEdit = import('postgate:plugin/types@0.1.0').RcptEdit;
  /**
   * The answer.
   */
  export interface RcptAnswer {
    /**
     * Refusing leaves out this recipient only.
     */
    verdict: RcptVerdict,
    /**
     * Applied in order.
     */
    edits: Array<RcptEdit>,
  }
}
