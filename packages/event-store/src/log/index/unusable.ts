/**
 * Why an index file cannot be used. It says nothing of the log: whoever meets it reads the log itself. `message` ends a sentence
 * that begins with the file's key.
 */
export class IndexUnusable extends Error {}
