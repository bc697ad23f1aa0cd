/** A contender that cannot run here: it is left out with this one line, and the rest goes on. */
export class NotInstalled extends Error {
  name = "NotInstalled";
}
