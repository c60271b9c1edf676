declare module 'postgate:plugin/log@0.1.0' {
  /**
   * Write a line. Control characters are shown escaped; a line longer than 2,048 octets is cut,
   * and lines beyond the limit of an event (`limits.log-lines`) are counted and dropped.
   */
  export function write(level: Level, text: string): void;
  /**
   * How much a line matters.
   * # Variants
   * 
   * ## `"debug"`
   * 
   * For the author of the plugin.
   * ## `"info"`
   * 
   * For the operator, in the course of things.
   * ## `"warn"`
   * 
   * For the operator, something is not as it should be.
   * ## `"error"`
   * 
   * For the operator, the plugin cannot do its work.
   */
  export type Level = 'debug' | 'info' | 'warn' | 'error';
}
