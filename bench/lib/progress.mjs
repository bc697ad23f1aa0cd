/** One line on a terminal that says what is going on; nothing where stderr is no terminal. */
export const progress = {
  show(text) {
    if (!process.stderr.isTTY) return;
    const width = (process.stderr.columns ?? 80) - 1;
    process.stderr.write(`\r\x1b[K${text.slice(0, width)}`);
  },
  clear() {
    if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
  },
};
