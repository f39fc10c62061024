/**
 * The SMTP transport as a script of its own, which only `app:check` loads.
 *
 * @module
 */

import transport from "nodemailer/lib/smtp-transport";

/** What the program gets when it imports the package. */
export const content = transport;
