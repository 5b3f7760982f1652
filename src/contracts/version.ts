/** The package's version; the same as in package.json (a test compares them). */
export const BANGER_VERSION = '0.1.0';
