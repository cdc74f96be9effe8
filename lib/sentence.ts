/**
 * Messages as people read them.
 *
 * @module
 */

/**
 * Turns an error message into a sentence: with a capital, unless it begins with a
 * name such as `n1` or `http://…`, and with a full stop.
 */
export function sentence(message: string): string {
  if (message === "") return "";
  const capital = /^[a-z]+(?:'[a-z]+)?(?:[ ,;]|$)/.test(message)
    ? message.charAt(0).toUpperCase() + message.slice(1)
    : message;
  return /[.!?:]$/.test(capital) ? capital : `${capital}.`;
}
