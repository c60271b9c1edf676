/// <reference path="./postgate-plugin-types.d.ts" />
declare module 'postgate:plugin/session@0.1.0' {
  /**
   * The id of the session. Unique among all sessions, and part of every log line.
   */
  export function id(): string;
  /**
   * The id of the transaction. Unique among all transactions: each MAIL begins a new one. Empty
   * outside a transaction.
   */
  export function transactionId(): string;
  /**
   * When the client connected, in seconds since 1970-01-01 UTC.
   */
  export function connectedAt(): number;
  /**
   * The name of the listener in the configuration.
   */
  export function listener(): string;
  /**
   * The host name by which the gateway introduces itself.
   */
  export function hostname(): string;
  /**
   * The address that the client connected to, in its canonical text form.
   */
  export function localIp(): string;
  /**
   * The port that the client connected to.
   */
  export function localPort(): number;
  /**
   * The client's address, in its canonical text form.
   */
  export function remoteIp(): string;
  /**
   * The client's port.
   */
  export function remotePort(): number;
  /**
   * The client's name from reverse DNS; the client's address if there is no confirmed name.
   */
  export function remoteHost(): string;
  /**
   * How trustworthy `remote-host` is.
   */
  export function remoteHostCheck(): HostCheck;
  /**
   * The name that the client gave in HELO or EHLO; empty before.
   */
  export function heloName(): string;
  /**
   * How the client introduced itself.
   */
  export function helo(): HeloKind;
  /**
   * The protocol as in a Received line: SMTP, ESMTP, ESMTPA, ESMTPS, ESMTPSA.
   */
  export function protocol(): string;
  /**
   * What a proxy said about the client; `none` without a proxy.
   */
  export function proxy(): ProxyHeader | undefined;
  /**
   * What the listener does with line endings that are not CRLF.
   */
  export function lineEndings(): LineEndingMode;
  /**
   * The current text after the host name in the 220 banner.
   */
  export function banner(): string;
  /**
   * The current text after the host name in the reply to HELO and EHLO.
   */
  export function greeting(): string;
  /**
   * True if the session is encrypted.
   */
  export function encrypted(): boolean;
  /**
   * The encryption of the session; `none` if it is not encrypted.
   */
  export function tls(): TlsFacts | undefined;
  /**
   * The identity that the client acts as (authorization identity); `none` if it has not
   * authenticated.
   */
  export function authenticatedAs(): string | undefined;
  /**
   * How the client has authenticated; `none` if it has not.
   */
  export function authentication(): AuthenticationFacts | undefined;
  /**
   * The reverse-path of the current transaction, with the edits so far; `none` outside a
   * transaction, empty for the null reverse-path.
   */
  export function sender(): string | undefined;
  /**
   * The ESMTP parameters of MAIL, names in capitals, in the client's order.
   */
  export function mailParameters(): Array<Pair>;
  /**
   * The accepted recipients of the current transaction, in order, with the edits so far.
   */
  export function recipients(): Array<string>;
  /**
   * The ESMTP parameters of the recipient with this index in `recipients`, names in capitals.
   */
  export function recipientParameters(index: number): Array<Pair>;
  /**
   * How many commands of this session were refused because of errors of the client.
   */
  export function errorCount(): number;
  /**
   * The most recent of these errors, at most 32, the oldest first.
   */
  export function errors(): Array<ClientError>;
  /**
   * The tags that plugins have set so far in this session, in order.
   */
  export function tags(): Array<Pair>;
  export type Pair = import('postgate:plugin/types@0.1.0').Pair;
  /**
   * How the client introduced itself.
   * # Variants
   * 
   * ## `"none"`
   * 
   * Not yet.
   * ## `"helo"`
   * 
   * HELO (RFC 5321): no extensions.
   * ## `"ehlo"`
   * 
   * EHLO (RFC 5321).
   * ## `"lhlo"`
   * 
   * LHLO (RFC 2033). Reserved: there are no LMTP listeners yet.
   */
  export type HeloKind = 'none' | 'helo' | 'ehlo' | 'lhlo';
  /**
   * How trustworthy the client's name is.
   * # Variants
   * 
   * ## `"unknown"`
   * 
   * Not looked up, because the listener has reverse DNS switched off, or the name servers
   * did not answer.
   * ## `"unconfirmed"`
   * 
   * The address has no name, or its name does not resolve to the address.
   * ## `"confirmed"`
   * 
   * The address has this name, and the name resolves to the address.
   * ## `"told"`
   * 
   * The name comes from a plugin at `on-proxy`, or from a trusted client with XCLIENT.
   */
  export type HostCheck = 'unknown' | 'unconfirmed' | 'confirmed' | 'told';
  /**
   * What a proxy in front of the gateway said about the client (PROXY protocol).
   */
  export interface ProxyHeader {
    /**
     * The version of the protocol, 1 or 2.
     */
    version: number,
    /**
     * The protocol between client and proxy: `TCP4`, `TCP6`, or `UNKNOWN` if the proxy does
     * not know it or connects on its own behalf.
     */
    protocol: string,
    /**
     * The address that the client connected from; `none` if the proxy did not say.
     */
    sourceIp?: string,
    /**
     * The port that the client connected from; 0 if the proxy did not say.
     */
    sourcePort: number,
    /**
     * The address that the client connected to; `none` if the proxy did not say.
     */
    destinationIp?: string,
    /**
     * The port that the client connected to; 0 if the proxy did not say.
     */
    destinationPort: number,
    /**
     * The host name that the client asked for in TLS to the proxy (SNI).
     */
    authority?: string,
    /**
     * The application protocol that the client and the proxy agreed on (ALPN), if it is valid
     * UTF-8.
     */
    alpn?: string,
    /**
     * Whether the client spoke TLS to the proxy.
     */
    tls: boolean,
  }
  /**
   * A certificate that the client presented (RFC 5280).
   */
  export interface ClientCertificate {
    /**
     * The subject's distinguished name, for example `CN=mx.example.org, O=Example`.
     */
    subject: string,
    /**
     * The issuer's distinguished name.
     */
    issuer: string,
    /**
     * The names of the subject: mail addresses and host names (subjectAltName).
     */
    names: Array<string>,
    /**
     * The SHA-256 of the certificate, in lower-case hexadecimal digits.
     */
    fingerprint: string,
    /**
     * True if an authority that the operator trusts for clients issued it, and it is valid
     * now.
     */
    verified: boolean,
  }
  /**
   * The encryption of the session.
   */
  export interface TlsFacts {
    /**
     * When the handshake was complete, in seconds since 1970-01-01 UTC.
     */
    since: number,
    /**
     * The version of the protocol: `TLSv1.2` or `TLSv1.3`.
     */
    version: string,
    /**
     * The cipher suite by its IANA name, for example `TLS_AES_256_GCM_SHA384`.
     */
    cipher: string,
    /**
     * The host name that the client asked for (SNI).
     */
    serverName?: string,
    /**
     * The application protocol that was agreed on (ALPN).
     */
    alpn?: string,
    /**
     * The certificate of the client, if it presented one.
     */
    clientCertificate?: ClientCertificate,
  }
  /**
   * How the client has authenticated.
   */
  export interface AuthenticationFacts {
    /**
     * The time, in seconds since 1970-01-01 UTC.
     */
    since: number,
    /**
     * The SASL mechanism, in capitals; `XCLIENT` if a trusted client transmitted the identity.
     */
    mechanism: string,
    /**
     * Who the client is (authentication identity).
     */
    identity: string,
    /**
     * Who it acts as (authorization identity).
     */
    actsAs: string,
  }
  /**
   * A command that was refused because of an error of the client.
   */
  export interface ClientError {
    /**
     * The time, in seconds since 1970-01-01 UTC.
     */
    at: number,
    /**
     * The name of the fault, as in the configuration, for example `unknown-verb`.
     */
    fault: string,
  }
  /**
   * What the gateway does with a CR or LF in a message that is not part of a CRLF.
   * # Variants
   * 
   * ## `"strict"`
   * 
   * Refuse the message.
   * ## `"ensure"`
   * 
   * Change line endings to CRLF.
   * ## `"leave"`
   * 
   * Leave the octets as they are.
   */
  export type LineEndingMode = 'strict' | 'ensure' | 'leave';
}
