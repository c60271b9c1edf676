declare module 'postgate:plugin/log@0.1.0' {
  /**
   * Write a line. Control characters are escaped, and lines longer than 2,048 octets are cut.
   * Lines beyond the limit of an event (`limits.log-lines`) are counted and dropped.
   */
  export function write(level: Level, text: string): void;
  /**
   * How important a line is.
   * # Variants
   * 
   * ## `"debug"`
   * 
   * For the author of the plugin.
   * ## `"info"`
   * 
   * For the operator: normal operation.
   * ## `"warn"`
   * 
   * For the operator: something unexpected.
   * ## `"error"`
   * 
   * For the operator: the plugin cannot do its work.
   */
  export type Level = 'debug' | 'info' | 'warn' | 'error';
}
