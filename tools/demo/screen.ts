/**
 * What the demo shows: a few lines on standard error, and how far a download is.
 *
 * @module
 */

/** A pipe or a file gets a line for every so many percent. */
const STEP = 25;

/** Standard error, whether or not it is a terminal. */
export class Screen {
  #percent = 0;
  #isLineOpen = false;

  /** Prints a line. */
  say(line: string): void {
    print(`${this.#isLineOpen ? "\n" : ""}${line}\n`);
    this.#isLineOpen = false;
  }

  /**
   * Shows how much of a download has arrived; a terminal shows it on one line.
   *
   * @param percent `NaN` where the size is not known: nothing is shown then
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
    // The terminal was closed, and the demo still has to clean up.
  }
}
