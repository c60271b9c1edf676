declare module 'postgate:plugin/config@0.1.0' {
  /**
   * The whole table as a JSON object.
   */
  export function json(): string;
  /**
   * One value by its path, for example `limits.max-size`, or `networks.0` for the first item of
   * a list. A string is returned as its text, any other value as JSON.
   */
  export function get(path: string): string | undefined;
}
