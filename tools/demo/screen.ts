/**
 * The output of the demo: a few lines on standard error, and the progress of a download.
 *
 * @module
 */

/** Without a terminal, a line is printed for every so many percent. */
const STEP = 25;

/** Standard error, as a terminal, a pipe or a file. */
export class Screen {
  #percent = 0;
  #isLineOpen = false;

  /** Prints a line. */
  say(line: string): void {
    print(`${this.#isLineOpen ? "\n" : ""}${line}\n`);
    this.#isLineOpen = false;
  }

  /**
   * Shows the progress of a download; in a terminal on one line.
   *
   * @param percent nothing is shown if it is `NaN`, because the size is not known
   */
  progress(percent: number): void {
    if (Number.isNaN(percent)) return;
    const before = this.#percent;
    this.#percent = percent;
    if (Deno.stderr.isTerminal()) {
      this.#isLineOpen = true;
      if (percent !== before) print(`\r  ${percent} %`);
    } else if (Math.floor(percent / STEP) > Math.floor(before / STEP)) {
      this.say(`  ${percent} %`);
    }
  }
}

function print(text: string): void {
  try {
    Deno.stderr.writeSync(new TextEncoder().encode(text));
  } catch {
    // The terminal is closed, and the demo has to clean up.
  }
}
