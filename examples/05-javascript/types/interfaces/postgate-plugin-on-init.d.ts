declare module 'postgate:plugin/on-init@0.1.0' {
  /**
   * Read the configuration and get ready.
   */
  export function onInit(): void;
}
