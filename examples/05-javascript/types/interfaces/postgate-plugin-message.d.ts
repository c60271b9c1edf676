/// <reference path="./postgate-plugin-types.d.ts" />
declare module 'postgate:plugin/message@0.1.0' {
  /**
   * When the client began to send the message, in seconds since 1970-01-01 UTC; 0 before.
   */
  export function startedAt(): number;
  /**
   * When the message was complete, in seconds since 1970-01-01 UTC; 0 before.
   */
  export function completedAt(): number;
  /**
   * Whether the header block is there.
   */
  export function headersComplete(): boolean;
  /**
   * The id by which the client and the log know the message: that of the transaction, unless a
   * plugin has set another one.
   */
  export function id(): string;
  /**
   * The size of the message in octets: header block, blank line, and body.
   */
  export function size(): number;
  /**
   * The number of header fields.
   */
  export function headerCount(): number;
  /**
   * The field with this index, 0 being the topmost.
   */
  export function headerAt(index: number): Header | undefined;
  /**
   * All fields of this name, from the top; letter case does not matter.
   */
  export function headersNamed(name: string): Array<Header>;
  /**
   * The topmost field of this name, unfolded and trimmed, where it is valid UTF-8.
   */
  export function headerText(name: string): string | undefined;
  /**
   * The size of the body in octets.
   */
  export function bodySize(): number;
  /**
   * Octets of the body from `offset` on. Fewer than `length` come back at the end of the body,
   * and never more than 262,144 in one call.
   */
  export function readBody(offset: number, length: number): Uint8Array;
  /**
   * The number of MIME parts; at least 1 in `message`.
   */
  export function partCount(): number;
  /**
   * The part with this index, in the order in which they stand in the message.
   */
  export function partAt(index: number): Part | undefined;
  /**
   * Octets of the decoded content of a part from `offset` on, under the same limit as
   * `read-body`. Nothing for a part that is not there or only holds others.
   */
  export function readPart(index: number, offset: number, length: number): Uint8Array;
  /**
   * The header fields of a part, from the top; of a header block of more than 65,536 octets those
   * at its beginning. Nothing for a part that is not there.
   */
  export function partHeaders(index: number): Array<Header>;
  /**
   * What MIME-Version says; nothing where it is absent or garbled.
   */
  export function mimeVersion(): MimeVersionField | undefined;
  /**
   * The part that a reader would be shown as plain text; nothing where there is none.
   */
  export function plainPart(): number | undefined;
  /**
   * The part that a reader would be shown as HTML; nothing where there is none.
   */
  export function htmlPart(): number | undefined;
  /**
   * The text of a part, converted from its charset to UTF-8: at most `length` octets of it from
   * octet `offset` on, and never more than 262,144 in one call; fewer where a character would be
   * cut. Nothing for a part that is not text, and for an offset inside a character.
   */
  export function readText(index: number, offset: number, length: number): string | undefined;
  export type Pair = import('postgate:plugin/types@0.1.0').Pair;
  /**
   * A header field as it stands in the message.
   */
  export interface Header {
    /**
     * The field name as written.
     */
    name: string,
    /**
     * The value as received: what follows the colon, folding included, without the last CRLF.
     */
    value: Uint8Array,
  }
  /**
   * A MIME part (RFC 2045). Part 0 is the message itself.
   * 
   * No message is too much: 1,000 parts are looked for, 32 within one another, and 65,536 octets of
   * the header block of each are read. What goes beyond is one part of type
   * `application/x-unparsed` with its content as it stands in the message: the last of too many
   * parts holds all the rest, one that lies too deep or has too long a header block is not opened.
   */
  export interface Part {
    /**
     * The part that holds this one. Part 0 names itself.
     */
    parent: number,
    /**
     * Type and subtype in lower case. Where absent or garbled `text/plain`, or `message/rfc822`
     * in a multipart/digest.
     */
    contentType: string,
    /**
     * The file name from Content-Disposition or else from Content-Type, decoded; nothing where
     * there is none.
     */
    filename?: string,
    /**
     * Content-Disposition in lower case; nothing where there is none.
     */
    disposition?: string,
    /**
     * The size of the decoded content in octets; 0 for a part that only holds others.
     */
    size: number,
    /**
     * Whether this is a container of others: multipart, or an attached message.
     */
    container: boolean,
    /**
     * The parameters of Content-Type, names in lower case, decoded (RFC 2231).
     */
    parameters: Array<Pair>,
    /**
     * Content-Transfer-Encoding in lower case; `7bit` where absent.
     */
    encoding: string,
    /**
     * Content-ID without its angle brackets.
     */
    contentId?: string,
    /**
     * Content-Description, decoded (RFC 2047).
     */
    description?: string,
  }
  /**
   * What the field MIME-Version says (RFC 2045 section 4).
   */
  export interface MimeVersionField {
    /**
     * The version, `1.0` in practice.
     */
    version: string,
    /**
     * The comment before it, without parentheses.
     */
    commentBefore?: string,
    /**
     * The comment after it, without parentheses.
     */
    commentAfter?: string,
  }
}
