// What the tests call in the page. It knows the page as a reader does: by what is on the screen.

/** Waits until all of the page is there, and says whether its ground is a dark one. */
async function settled() {
    await document.fonts.ready;
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    const [red, green, blue, opacity = 1] =
        getComputedStyle(document.documentElement).backgroundColor.match(/[\d.]+/g).map(Number);
    return opacity > 0 && red + green + blue < 3 * 128;
}

/** What an element is called in a sentence. */
function nameOf(element) {
    const classes = [...element.classList].map((name) => `.${name}`).join("");
    const text = element.textContent.trim().replace(/\s+/g, " ").slice(0, 40);
    return `${element.localName}${classes} “${text}”`;
}

/** Whether the reader can scroll to what is in an element, from left to right. */
const scrolls = (element) => ["auto", "scroll"].includes(getComputedStyle(element).overflowX);

/** Whether an element is on the screen, if one scrolls there. Nothing hidden, nothing for ears alone. */
const isShown = (element) =>
    element.checkVisibility({ visibilityProperty: true }) && element.closest(".rt-live, script") === null;

/** What is wider than its room, as sentences. The reader scrolls within code and tables, and never the page. */
function tooWide() {
    const problems = [];
    const width = document.documentElement.clientWidth;
    const main = document.querySelector("main") ?? document.body;
    for (let outer = main; outer !== null; outer = outer.parentElement) {
        if (outer.scrollWidth <= outer.clientWidth + 1) continue;
        const right = outer.getBoundingClientRect().right;
        const culprits = [...outer.querySelectorAll("*")].filter((element) =>
            isShown(element) && element.getBoundingClientRect().right > right + 1);
        const first = culprits.map(nameOf).slice(0, 3).join(", ");
        problems.push(`${outer.localName} is ${outer.scrollWidth} px wide in a window of ${width} px: ${first}`);
        break;
    }
    for (const replay of document.querySelectorAll("rt-replay")) problems.push(...cutOff(replay));
    return problems;
}

/** What of a replay is outside of it, or of a part of it, where nobody sees it. */
function cutOff(replay) {
    const problems = [];
    for (const element of replay.querySelectorAll("*")) {
        if (!isShown(element)) continue;
        const box = element.getBoundingClientRect();
        for (let outer = element.parentElement; outer !== replay.parentElement; outer = outer.parentElement) {
            if (scrolls(outer)) break;
            const room = outer.getBoundingClientRect();
            const style = getComputedStyle(outer);
            const hides = outer === replay || outer.matches(".rt-lane") || style.overflowX !== "visible";
            if (hides && (box.right > room.right + 1 || box.left < room.left - 1)) {
                problems.push(`${nameOf(element)} reaches out of ${outer.localName}${outer.className === "" ? "" : `.${outer.className}`} by ${Math.round(Math.max(box.right - room.right, room.left - box.left))} px`);
                break;
            }
        }
        if (!scrolls(element) && element.matches("p, li, td, th, button, span, summary, select")
            && element.clientWidth > 0 && element.scrollWidth > element.clientWidth + 1) {
            problems.push(`the text of ${nameOf(element)} is cut off`);
        }
        if (problems.length > 3) break;
    }
    return problems;
}

// ── Replays ─────────────────────────────────────────────────────────────────────────────────────

/** The runs that a replay tells, as the page has them without a script. */
function told(replay) {
    const lists = [...replay.querySelectorAll("details.rt-words")];
    return [...replay.querySelectorAll("script.rt-trace")].map((script, n) => ({
        trace: script.textContent,
        sentences: [...(lists[n]?.querySelectorAll("li") ?? [])].map((item) => item.textContent.trim()),
    }));
}

/** What a reader without scripts does not see of a replay, whose lists are open. */
function unseen(replay) {
    const problems = [];
    for (const item of replay.querySelectorAll("details.rt-words li")) {
        const { width, height } = item.getBoundingClientRect();
        if (!isShown(item) || width === 0 || height === 0) problems.push(`a step is not shown: ${nameOf(item)}`);
    }
    for (const list of replay.querySelectorAll("details.rt-words ol")) {
        if (list.scrollHeight > list.clientHeight + 1) problems.push(`a part of ${nameOf(list)} is hidden`);
    }
    if (replay.innerText.includes('{"')) problems.push("the trace itself is in the text");
    return problems;
}

/** What a replay shows now. */
function shown(replay) {
    const [row, last] = replay.querySelector(".rt-count").textContent.split("/").map(Number);
    const plain = getComputedStyle(replay).color;
    const lanes = [...replay.querySelectorAll(".rt-lane")].map((lane) => {
        const items = [...lane.querySelectorAll(".rt-words li")];
        const now = lane.querySelector(".rt-now").cloneNode(true);
        now.querySelector(".rt-number")?.remove();
        const rules = [...lane.querySelectorAll(".rt-rules li")].map((item) => ({
            text: item.textContent,
            red: item.matches(".rt-broken") && getComputedStyle(item).color !== plain,
        }));
        return { taken: items.findIndex((item) => item.matches("[aria-current=step]")) + 1, now: now.textContent.trim(), rules };
    });
    const ask = replay.querySelector(".rt-ask");
    return {
        row, last, lanes,
        range: Number(replay.querySelector("input[type=range]").value),
        asked: ask.hidden ? null : ask.querySelector("p").textContent,
        asksFirst: !ask.hidden && ask.querySelector("button") === document.activeElement,
        choices: ask.hidden ? [] : [...ask.querySelectorAll("button")].map((button) => button.textContent),
        play: [...replay.querySelectorAll(".rt-bar button")].map((button) => button.textContent)[2],
        focus: document.activeElement === replay || replay.contains(document.activeElement)
            ? nameOf(document.activeElement) : null,
    };
}

/**
 * From now on, takes down what a replay shows after each key, and holds it against what was seen at the
 * same step before.
 */
function watch(replay) {
    const seen = new Map();
    const notes = { states: [], problems: [] };
    const look = () => {
        const state = shown(replay);
        const looks = replay.querySelector(".rt-lanes").outerHTML;
        const before = seen.get(state.row) ?? looks;
        if (looks !== before) {
            const at = [...looks].findIndex((letter, n) => letter !== before[n]);
            notes.problems.push(`step ${state.row} does not look as it did before: “${looks.slice(at - 20, at + 40)}” was “${before.slice(at - 20, at + 40)}”`);
        }
        seen.set(state.row, looks);
        notes.states.push(state);
        notes.problems.push(...cutOff(replay).map((problem) => `at step ${state.row}, ${problem}`));
    };
    replay.notes = notes;
    replay.addEventListener("keyup", look, true);
    look();
}

/** What `watch` has taken down since this was called last. */
function notes(replay) {
    const { states, problems } = replay.notes;
    Object.assign(replay.notes, { states: [], problems: [] });
    return { states, problems };
}

/** Whether a replay goes on playing, although it shows “Play”. */
async function playsOn(replay) {
    const { row } = shown(replay);
    // The replay's own timer, if it is still there, is shorter, and older, so it is due before this one.
    await new Promise((done) => setTimeout(done, 400));
    return shown(replay).row !== row;
}

/** Whether the link to the code of the current step leads there at once, or null if there is no link. */
function followsAtOnce(replay) {
    const link = replay.querySelector(".rt-where .rt-link");
    if (link === null) return null;
    window.scrollTo({ top: 0, behavior: "instant" });
    link.click();
    const before = scrollY;
    const isThere = [...document.querySelectorAll(".rt-mark")].some((mark) => {
        bring(mark);
        return scrollY === before;
    });
    return isThere && document.getAnimations().length === 0;
}

/**
 * Goes through a replay, follows each link to the code of the page, and counts them. Says where the marked
 * line is not the line that the replay shows.
 */
function misled(replay) {
    const problems = [];
    let links = 0;
    const [back, step] = replay.querySelectorAll(".rt-bar button");
    while (!back.disabled) back.click();
    while (!step.disabled) {
        step.click();
        for (const where of replay.querySelectorAll(".rt-where:has(.rt-link)")) {
            links += 1;
            where.querySelector(".rt-link").click();
            const wanted = where.querySelector(".rt-line").textContent.trim();
            const marked = [...document.querySelectorAll(".rt-mark")].map(lineUnder);
            if (!marked.includes(wanted)) {
                problems.push(`at step ${shown(replay).row} the link leads to “${marked}” instead of “${wanted}”`);
            }
        }
    }
    return [links, problems];
}

/** The line of code that lies under a mark. */
function lineUnder(mark) {
    bring(mark);
    const code = mark.parentElement.querySelector("code");
    const { top, height } = mark.getBoundingClientRect();
    const under = document.caretRangeFromPoint(code.getBoundingClientRect().left + 20, top + height / 2);
    const before = document.createRange();
    before.setStart(code, 0);
    before.setEnd(under.startContainer, under.startOffset);
    const number = before.toString().split("\n").length - 1;
    return code.textContent.split("\n")[number].trim();
}

/** The pauses from step to step, in milliseconds, as the reader chooses one speed after the other. */
function pauses(replay) {
    const speeds = replay.querySelector("select");
    const play = replay.querySelectorAll(".rt-bar button")[2];
    const real = window.setInterval;
    const seen = [];
    window.setInterval = (_, pause) => seen.push(pause);
    play.click();
    seen.length = 0;
    for (const { value } of speeds.options) {
        speeds.value = value;
        speeds.dispatchEvent(new Event("change"));
    }
    play.click();
    window.setInterval = real;
    return seen;
}

/** The panels of a replay by their names, and whether what they show changes in the course of the run. */
function panels(replay) {
    const [back, step] = replay.querySelectorAll(".rt-bar button");
    while (!back.disabled) back.click();
    const all = [...replay.querySelectorAll(".rt-panel")].map((panel) => ({
        panel, before: panel.innerText, name: [...panel.classList].at(-1).replace("rt-panel-", ""),
    }));
    const change = new Set();
    while (!step.disabled) {
        step.click();
        all.filter(({ panel, before }) => panel.innerText !== before).forEach(({ name }) => change.add(name));
    }
    return Object.fromEntries(all.map(({ name }) => [name, change.has(name)]));
}

/** Lets the book's bar scroll away, so that it is in no picture of what is below it. Other pages have none. */
function unpin() {
    const bar = document.querySelector("#mdbook-menu-bar, #menu-bar");
    if (bar !== null) bar.style.position = "static";
}

/** Scrolls an element to the middle of the window. */
function bring(element) {
    element.scrollIntoView({ block: "center", behavior: "instant" });
}

/** Opens whatever a reader can open. */
function openAll() {
    document.querySelectorAll("details").forEach((details) => { details.open = true; });
}

/** Opens the list of steps of the n-th run. */
function openWords(replay, n) {
    replay.querySelectorAll("details.rt-words")[n].open = true;
}

/** What a reader does not get of a page without scripts. */
function unreadable() {
    const main = document.querySelector("main");
    const { width } = main.getBoundingClientRect();
    return isShown(main) && width > 0 && main.innerText.trim() !== "" ? [] : ["the text is not shown"];
}
