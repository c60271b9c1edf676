/// <reference path="./postgate-plugin-types.d.ts" />
declare module 'postgate:plugin/on-message@0.1.0' {
  /**
   * Decide on the message; see `message`.
   */
  export function onMessage(): MessageAnswer;
  export type MessageVerdict = import('postgate:plugin/types@0.1.0').MessageVerdict;
  export type MessageEdit = import('postgate:plugin/types@0.1.0').MessageEdit;
  /**
   * The answer.
   */
  export interface MessageAnswer {
    /**
     * The decision on the message.
     */
    verdict: MessageVerdict,
    /**
     * Applied in order.
     */
    edits: Array<MessageEdit>,
  }
}
