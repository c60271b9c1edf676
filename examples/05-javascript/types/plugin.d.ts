/// <reference path="./interfaces/postgate-plugin-addresses.d.ts" />
/// <reference path="./interfaces/postgate-plugin-config.d.ts" />
/// <reference path="./interfaces/postgate-plugin-log.d.ts" />
/// <reference path="./interfaces/postgate-plugin-message.d.ts" />
/// <reference path="./interfaces/postgate-plugin-on-init.d.ts" />
/// <reference path="./interfaces/postgate-plugin-on-message.d.ts" />
/// <reference path="./interfaces/postgate-plugin-on-rcpt.d.ts" />
/// <reference path="./interfaces/postgate-plugin-session.d.ts" />
/// <reference path="./interfaces/postgate-plugin-types.d.ts" />
declare module 'local:plugin/plugin' {
  export type * as PostgatePluginAddresses010 from 'postgate:plugin/addresses@0.1.0'; // import postgate:plugin/addresses@0.1.0
  export type * as PostgatePluginConfig010 from 'postgate:plugin/config@0.1.0'; // import postgate:plugin/config@0.1.0
  export type * as PostgatePluginLog010 from 'postgate:plugin/log@0.1.0'; // import postgate:plugin/log@0.1.0
  export type * as PostgatePluginMessage010 from 'postgate:plugin/message@0.1.0'; // import postgate:plugin/message@0.1.0
  export type * as PostgatePluginSession010 from 'postgate:plugin/session@0.1.0'; // import postgate:plugin/session@0.1.0
  export type * as PostgatePluginTypes010 from 'postgate:plugin/types@0.1.0'; // import postgate:plugin/types@0.1.0
  export * as onInit from 'postgate:plugin/on-init@0.1.0'; // export postgate:plugin/on-init@0.1.0
  export * as onRcpt from 'postgate:plugin/on-rcpt@0.1.0'; // export postgate:plugin/on-rcpt@0.1.0
  export * as onMessage from 'postgate:plugin/on-message@0.1.0'; // export postgate:plugin/on-message@0.1.0
}
