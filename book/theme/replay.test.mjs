// The part of replay.js that knows no page, on every recorded run of the book: `node --test book/theme`.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";

const { BrokenTrace, FOLDS, History, badges, eventOf, keyOf, lengthOf, question, readRun, rowsOf } =
    createRequire(import.meta.url)("./replay.js");

const BOOK = join(dirname(fileURLToPath(import.meta.url)), "../src");

const files = (folder) => readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? files(join(folder, entry.name)) : [join(folder, entry.name)]);

/** The run of a piece of HTML, as the element finds it: from its JSON lines and its sentences. */
function runIn(html) {
    const script = html.match(/<script[^>]*>([^]*?)<\/script>/);
    if (script === null) throw new BrokenTrace("it holds no trace.");
    const sentences = [...html.matchAll(/<li[^>]*>(.*?)<\/li>/g)].map(([, sentence]) => sentence);
    return readRun(script[1], sentences);
}

/** Each recorded run with its name, and what is wrong with the files that hold none. */
const traces = [];
const broken = [];
for (const file of files(BOOK).filter((file) => /\/traces\/[^/]*\.html$/.test(file))) {
    const name = file.slice(BOOK.length + 1);
    try {
        traces.push({ name, run: runIn(readFileSync(file, "utf8")) });
    } catch (error) {
        if (!(error instanceof BrokenTrace)) throw error;
        broken.push(`book/src/${name}: ${error.message} Run \`make record\`, which writes it anew.`);
    }
}

/** What stands together in an `<rt-replay>`, as pages include it. */
const replays = files(BOOK).filter((file) => file.endsWith(".md")).flatMap((file) =>
    [...readFileSync(file, "utf8").matchAll(/<rt-replay([^>]*)>([^]*?)<\/rt-replay>/g)].map(([, attributes, inside]) => ({
        page: file.slice(BOOK.length + 1),
        at: attributes.match(/at="(\d+)"/)?.[1],
        names: [...inside.matchAll(/\{\{#include (.*?)\}\}/g)].map(([, path]) => join(dirname(file), path).slice(BOOK.length + 1)),
    })));

const runOf = (name) => traces.find((trace) => trace.name === name)?.run;

/** The replays whose traces are all there. */
const whole = replays.filter(({ names }) => names.every((name) => runOf(name) !== undefined));

/** Numbers that look random, and are the same each time. */
function* numbers(seed) {
    for (let state = seed; ; ) {
        state = (state * 1103515245 + 12345) % 2 ** 31;
        yield state;
    }
}

test("every trace can be replayed", () => assert.deepEqual(broken, []));

test("there are traces, and every one is shown by a page", () => {
    assert.ok(traces.length > 0);
    const shown = new Set(replays.flatMap(({ names }) => names));
    assert.deepEqual(traces.filter(({ name }) => !shown.has(name)).map(({ name }) => name), []);
});

test("a replay includes one or two traces, and begins at an event of the first", () => {
    for (const { page, at, names } of replays) {
        assert.ok(names.length === 1 || names.length === 2, `${page}: ${names}`);
        names.forEach((name) => assert.ok(runOf(name), `${page} includes ${name}`));
        assert.ok(at === undefined || runOf(names[0]).events.some(({ seq }) => seq === Number(at)), `${page}: at ${at}`);
    }
});

test("whatever way leads to a step, the states there are the same", () => {
    for (const { name, run } of traces) {
        for (const [panel, fold] of Object.entries(FOLDS)) {
            const forward = [fold.start];
            run.events.forEach((event) => forward.push(fold.next(forward.at(-1), event)));
            const wanted = forward.map((state) => structuredClone(state));
            const history = new History(fold, run.events);
            const walk = numbers(name.length + panel.length);
            for (let step = 0; step < 200; step += 1) {
                const count = walk.next().value % forward.length;
                assert.deepEqual(history.at(count), wanted[count], `${name}, ${panel}, after ${count}`);
            }
            // A fold makes new states, and leaves the old ones alone.
            assert.deepEqual(forward, wanted, `${name}, ${panel}`);
        }
    }
});

/** The state of a panel after these events. */
const after = (panel, ...events) => events.reduce(FOLDS[panel].next, FOLDS[panel].start);

test("a deadline wakes whoever was polled last when it was left, and goes when it comes", () => {
    const poll = (task) => ({ ev: "poll_start", task });
    const left = [poll(1), { ev: "timer_set", timer: 7 }, { ev: "poll_end", task: 1 }];
    const moved = [poll(2), { ev: "timer_waker", timer: 7 }];
    const waker = (...events) => after("timers", ...events).pending.get(7)?.waker;
    assert.equal(waker(...left), 1);
    assert.equal(waker(...left, ...moved), 2);
    assert.equal(waker(...left, { ev: "timer_fire", timer: 7 }), undefined);
    // Outside of any poll, nobody knows whose waker it is.
    assert.equal(waker({ ev: "timer_set", timer: 7 }), null);
});

test("what hangs in a slot is taken out when its time comes, and hung again by a cascade", () => {
    const hang = (timer, wheel, slot) => ({ ev: "timer_hang", timer, wheel, slot });
    const turn = { ev: "wheel_turn", wheel: 2, slot: 1, tick: 64 };
    const places = (...events) => [...after("wheels", ...events).pending.values()].map(({ hangs }) => hangs);
    const both = [hang(70, 2, 1), hang(130, 2, 2)];
    assert.deepEqual(places(...both), [{ wheel: 2, slot: 1 }, { wheel: 2, slot: 2 }]);
    assert.deepEqual(places(...both, turn), [null, { wheel: 2, slot: 2 }]);
    assert.deepEqual(places(...both, turn, hang(70, 1, 6)), [{ wheel: 1, slot: 6 }, { wheel: 2, slot: 2 }]);
});

test("an inbox holds what nobody has taken out", () => {
    const push = { ev: "inbox_push", first: true };
    assert.equal(after("inbox", push, push, push, { ev: "inbox_take", count: 2 }), 1);
});

test("a history is longer than its checkpoints are apart", () => {
    const events = Array.from({ length: 10 * History.EVERY }, (_, seq) => ({ seq, ev: "note", text: `${seq}` }));
    const history = new History(FOLDS.printed, events);
    for (const count of [events.length, History.EVERY, History.EVERY - 1, 0, events.length - 1]) {
        assert.equal(history.at(count).length, count);
    }
    assert.ok(history.checkpoints.length >= 10);
});

test("a badge turns red at the event that breaks its rule, and stays red", () => {
    for (const { name, run } of traces) {
        for (const { rule, broken, at_end } of run.rules.filter((rule) => rule.broken !== null)) {
            const breaks = at_end ? run.events.length - 1 : run.events.findIndex(({ seq }) => seq === broken.seq);
            assert.ok(breaks >= 0, `${name}: ${rule}`);
            run.events.forEach((_, index) => {
                const badge = badges(run, index + 1).find((badge) => badge.rule === rule);
                assert.equal(badge.broken !== null, index >= breaks, `${name}: ${rule} after ${index + 1}`);
            });
        }
    }
});

test("each rule has a trace that turns it red", () => {
    const source = readFileSync(join(BOOK, "../../support/trace/src/invariants.rs"), "utf8");
    const rules = [...source.matchAll(/^ +name: "(\w+)",$/gm)].map(([, name]) => name);
    assert.ok(rules.length > 0);
    const red = new Set(traces.flatMap(({ run }) => run.rules.filter(({ broken }) => broken !== null)).map(({ rule }) => rule));
    assert.deepEqual(rules.filter((rule) => !red.has(rule)), [], "no trace turns these red");
});

/** What a mended run breaks all the same, as its page says. */
const STILL_BROKEN = {
    // A later chapter mends it.
    "04-waker/traces/polled_after_completion-mended.html": ["queued_once"],
    // Nobody comes to the bank.
    "13-completion/traces/who_was_that_for-mended.html": ["operations_come_home"],
};

test("the mended run breaks no rule, but for what its page says", () => {
    for (const { name, run } of traces.filter(({ name }) => name.endsWith("-mended.html"))) {
        const broken = run.rules.filter(({ broken }) => broken !== null).map(({ rule }) => rule);
        assert.deepEqual(broken, STILL_BROKEN[name] ?? [], name);
    }
});

test("each chapter from the third on has a replay", () => {
    const chapters = readdirSync(BOOK).filter((name) => /^\d\d-/.test(name) && name >= "03" && name < "15");
    assert.equal(chapters.length, 12);
    const without = chapters.filter((chapter) => !replays.some(({ page }) => page.startsWith(`${chapter}/`)));
    assert.deepEqual(without, []);
});

test("each fault S1 to S7 has a replay of its demo, failing and mended", () => {
    const index = readFileSync(join(BOOK, "demos.md"), "utf8");
    const demos = [...index.matchAll(/^\| (S\d) \|.*?\[`(\w+)`\]/gm)];
    const sideBySide = new Set(replays
        .filter(({ names: [one, other] }) => other === one.replace(/-failing.html$/, "-mended.html"))
        .map(({ names: [one] }) => one.match(/traces\/(.*)-failing.html$/)[1]));
    const replayed = new Set(demos.filter(([, , demo]) => sideBySide.has(demo)).map(([, fault]) => fault));
    assert.deepEqual([...replayed].sort(), ["S1", "S2", "S3", "S4", "S5", "S6", "S7"]);
});

test("rows take each step of each run once, in order, and at the same time as long as they agree", () => {
    for (const { page, names } of whole) {
        const runs = names.map(runOf);
        const rows = rowsOf(runs);
        assert.deepEqual(rows[0], runs.map(() => 0), page);
        assert.deepEqual(rows.at(-1), runs.map(lengthOf), page);
        rows.slice(1).forEach((row, n) => {
            const taken = row.map((steps, lane) => steps - rows[n][lane]);
            assert.ok(taken.every((steps) => steps === 0 || steps === 1) && taken.includes(1), `${page}, row ${n + 1}`);
        });
        if (runs.length === 2) {
            const agree = (n) => n <= Math.min(...runs.map(lengthOf))
                && keyOf(eventOf(runs[0], n)) === keyOf(eventOf(runs[1], n));
            for (let n = 1; agree(n); n += 1) assert.deepEqual(rows[n], [n, n], `${page}, row ${n}`);
        }
    }
});

/** A run of notes. */
const notes = (...texts) => readRun(
    ['{"title":"Notes","names":{},"skip":[]}', ...texts.map((text) => JSON.stringify({ ev: "note", text })), '{"ev":"end","how":"done"}'].join("\n"),
    [...texts, "The end."]);

test("two runs meet again after a difference, and a run that is over waits for nobody", () => {
    const rows = (one, other) => rowsOf([notes(...one), notes(...other)]);
    assert.deepEqual(rows(["a", "b", "c"], ["a", "x", "c"]), [[0, 0], [1, 1], [2, 2], [3, 3], [4, 4]]);
    assert.deepEqual(rows(["a", "c", "d"], ["a", "b", "c", "d"]), [[0, 0], [1, 1], [1, 2], [2, 3], [3, 4], [4, 5]]);
    assert.deepEqual(rows([], []), [[0, 0], [1, 1]]);
    const alone = rowsOf([notes("a", "b")]);
    assert.deepEqual(alone, [[0], [1], [2], [3]]);
});

test("a question has its answer among two to four choices, and no choice twice", () => {
    for (const { page, names } of whole) {
        const runs = names.map(runOf);
        for (const row of rowsOf(runs).slice(0, -1)) {
            const asked = question(runs, row);
            if (asked === null) continue;
            const { step, answer, choices } = asked;
            assert.equal(answer, runs[0].words[step - 1], page);
            assert.notEqual(eventOf(runs[0], step).ev, "note", page);
            assert.ok(choices.includes(answer) && choices.length >= 2 && choices.length <= 4, `${page}: ${choices}`);
            assert.equal(new Set(choices).size, choices.length, `${page}: ${choices}`);
        }
    }
});

test("nothing is asked of a run that is over, or when there is but one answer", () => {
    const run = notes("a");
    assert.equal(question([run], [lengthOf(run)]), null);
    assert.equal(question([notes()], [0]), null);
});

test("a broken trace is refused with a sentence", () => {
    const refused = (text, words, sentence) => assert.throws(() => readRun(text, words), (error) =>
        error instanceof BrokenTrace && sentence.test(error.message));
    const header = '{"title":"T","names":{},"skip":[]}';
    const end = '{"ev":"end","how":"done"}';
    refused("", [], /line that says what it is about is missing/);
    refused(`\n${header}\n{"seq":\n${end}`, ["The end."], /line 2 is no JSON/);
    refused(`\n${header}\n7\n${end}`, ["The end."], /line 2 is no event/);
    refused(header, [], /last line is not the end/);
    refused(`${header}\n{"seq":0,"ev":"unpark","place":3}\n${end}`, ["Awake.", "The end."], /place that is not in its list/);
    refused(`${header}\n${end}`, [], /1 steps, and 0 sentences/);
    assert.equal(lengthOf(readRun(`${header}\n${end}`, ["The end."])), 1);
});

test("what is skipped happens along with the step after it", () => {
    const run = readRun([
        '{"title":"T","names":{},"skip":["waker_clone"]}',
        '{"seq":0,"ev":"waker_clone","task":1}',
        '{"seq":1,"ev":"poll_end","task":1,"result":"pending","wakers":1}',
        '{"ev":"end","how":"hung"}',
    ].join("\n"), ["Pending.", "It hangs."]);
    assert.deepEqual(run.stops, [0, 2, 3]);
    assert.equal(eventOf(run, 1).ev, "poll_end");
});
