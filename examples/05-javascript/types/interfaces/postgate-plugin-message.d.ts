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
   * True if the header block is complete.
   */
  export function headersComplete(): boolean;
  /**
   * The id of the message in the log and in the reply to the client: the id of the transaction,
   * unless a plugin has set another one.
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
   * The field with this index; 0 is the topmost.
   */
  export function headerAt(index: number): Header | undefined;
  /**
   * All fields with this name, from the top; letter case does not matter.
   */
  export function headersNamed(name: string): Array<Header>;
  /**
   * The value of the topmost field with this name, unfolded and trimmed, if it is valid UTF-8.
   */
  export function headerText(name: string): string | undefined;
  /**
   * The size of the body in octets.
   */
  export function bodySize(): number;
  /**
   * Octets of the body from `offset` on. Returns fewer than `length` at the end of the body, and
   * never more than 262,144 in one call.
   */
  export function readBody(offset: number, length: number): Uint8Array;
  /**
   * The number of MIME parts; at least 1 in `message`.
   */
  export function partCount(): number;
  /**
   * The part with this index, in the order of the message.
   */
  export function partAt(index: number): Part | undefined;
  /**
   * Octets of the content of a part without its transfer encoding, whatever its type, from
   * `offset` on, with the same limits as `read-body`. Empty for a part that does not exist or
   * only contains others.
   */
  export function readPart(index: number, offset: number, length: number): Uint8Array;
  /**
   * The header fields of a part, from the top. Only those in the first 65,536 octets of the
   * header block. Empty for a part that does not exist.
   */
  export function partHeaders(index: number): Array<Header>;
  /**
   * The content of MIME-Version; `none` if it is absent or malformed.
   */
  export function mimeVersion(): MimeVersionField | undefined;
  /**
   * The part that a mail program would show as plain text; `none` if there is none.
   */
  export function plainPart(): number | undefined;
  /**
   * The part that a mail program would show as HTML; `none` if there is none.
   */
  export function htmlPart(): number | undefined;
  /**
   * The text of a part, converted from its charset to UTF-8: at most `length` octets from octet
   * `offset` on, and never more than 262,144 in one call. Fewer are returned rather than part of
   * a character. `none` for a part that is not text, and for an offset inside a character.
   */
  export function readText(index: number, offset: number, length: number): string | undefined;
  export type Pair = import('postgate:plugin/types@0.1.0').Pair;
  /**
   * A header field of the message.
   */
  export interface Header {
    /**
     * The field name as written.
     */
    name: string,
    /**
     * The raw value: everything after the colon, including folding, without the final CRLF.
     */
    value: Uint8Array,
  }
  /**
   * A reason for which mail programs may read a part in different ways. What the gateway shows is
   * then one of several readings.
   * # Variants
   * 
   * ## `"ambiguous-encoding"`
   * 
   * Content-Transfer-Encoding is repeated, malformed or not known. The first one is applied
   * if it is `base64` or `quoted-printable`, and the content is as in the message otherwise.
   * ## `"ambiguous-filename"`
   * 
   * A file name comes in pieces that do not fit together, or there are too many names:
   * `filenames` may lack one.
   * ## `"ambiguous-structure"`
   * 
   * Programs may find other parts, or the content elsewhere: the header block of the part does
   * not end with an empty line or has lines that are no fields, a line only begins with a
   * boundary, a boundary comes after the closing one, or the lines that divide the message do
   * not end alike.
   * ## `"ambiguous-type"`
   * 
   * Content-Type is repeated or malformed, or its boundary is, so that programs find other
   * parts.
   * ## `"malformed-content"`
   * 
   * The content breaks the rules of its transfer encoding.
   * ## `"no-parts"`
   * 
   * A multipart without parts: its boundary is missing, is empty, or occurs nowhere.
   */
  export type PartDefect = 'ambiguous-encoding' | 'ambiguous-filename' | 'ambiguous-structure' | 'ambiguous-type' | 'malformed-content' | 'no-parts';
  /**
   * A MIME part (RFC 2045). Part 0 is the message itself.
   * 
   * The gateway looks for at most 1,000 parts and 32 levels of nesting, and reads at most 65,536
   * octets of the header block of each part. Whatever exceeds a limit is one part of the type
   * `application/x-unparsed`, with its content exactly as in the message. If there are too many
   * parts, the last one holds all the rest. A part that is nested too deeply or has too long a
   * header block is not opened.
   */
  export interface Part {
    /**
     * The part that contains this one. For part 0, this is 0.
     */
    parent: number,
    /**
     * Type and subtype in lower case. If absent or malformed: `text/plain`, or
     * `message/rfc822` in a multipart/digest.
     */
    contentType: string,
    /**
     * Every file name that a mail program may use, decoded, whichever field and parameter it
     * prefers and however it reads them; the usual one first.
     */
    filenames: Array<string>,
    /**
     * Content-Disposition in lower case; `none` if absent.
     */
    disposition?: string,
    /**
     * The size of the content without its transfer encoding, in octets; 0 for a part that only
     * contains others.
     */
    size: number,
    /**
     * True if this part contains others: a multipart, or an attached message.
     */
    container: boolean,
    /**
     * The parameters of Content-Type, names in lower case, decoded (RFC 2231).
     */
    parameters: Array<Pair>,
    /**
     * Content-Transfer-Encoding in lower case, without comments; `7bit` if absent.
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
    /**
     * What the gateway could not make sense of.
     */
    defects: Array<PartDefect>,
  }
  /**
   * The content of the field MIME-Version (RFC 2045 section 4).
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
