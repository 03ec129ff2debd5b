// The colours of groups. A tab remembers the colour that each group had last, also after a reload,
// so that a group keeps its colour in other views.

/** As many groups as there are colours; the service adds up the others. */
export const MOST_GROUPS = 8;

const STORED = "orbital-colours";
/** The most groups that are remembered; then, those that were shown longest ago are forgotten. */
const MOST_REMEMBERED = 500;

/** The hash of each remembered group and its colour, those that were shown last at the end. */
const remembered = readStored();

function readStored() {
  try {
    const entries = JSON.parse(sessionStorage.getItem(STORED) ?? "[]");
    // Another version of the page may have had more colours.
    return new Map(entries.filter(([, colour]) => colour < MOST_GROUPS));
  } catch {
    return new Map();
  }
}

/** FNV-1a. Only hashes are stored, because the names of groups can be those of people. */
function hashOf(key) {
  let hash = 0x811c9dc5;
  for (const character of key) hash = Math.imul(hash ^ character.codePointAt(0), 0x01000193) >>> 0;
  return hash;
}

function remember(chosen) {
  for (const [key, colour] of chosen) {
    const hash = hashOf(key);
    remembered.delete(hash);
    remembered.set(hash, colour);
  }
  const excess = remembered.size - MOST_REMEMBERED;
  for (const hash of [...remembered.keys()].slice(0, Math.max(0, excess))) remembered.delete(hash);
  sessionStorage.setItem(STORED, JSON.stringify([...remembered]));
}

/** Removes what the tab remembers; the page must then be loaded again. */
export const forgetColours = () => sessionStorage.removeItem(STORED);

/** A different colour for each key; the numbers start with 0. */
export function coloursOf(keys) {
  const taken = new Set();
  const chosen = new Map();
  const take = (key, colour) => {
    taken.add(colour);
    chosen.set(key, colour);
  };
  // By name: another order by credits changes no colour.
  const sorted = keys.toSorted();
  for (const key of sorted) {
    const colour = remembered.get(hashOf(key));
    if (colour !== undefined && !taken.has(colour)) take(key, colour);
  }
  for (const key of sorted.filter((each) => !chosen.has(each))) {
    // Consecutive names have different colours.
    let colour = hashOf(key) % MOST_GROUPS;
    while (taken.has(colour)) colour = (colour + 1) % MOST_GROUPS;
    take(key, colour);
  }
  remember(chosen);
  return chosen;
}
