// The part of replay.js that knows no page, on every recorded run of the book: `node --test book/theme`.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { inspect } from "node:util";

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
        // The low bits repeat themselves soon.
        yield state >>> 8;
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

test("whatever way leads to a step, the states there are the same", (t) => {
    let steps = 0;
    for (const { name, run } of traces) {
        for (const [panel, fold] of Object.entries(FOLDS)) {
            const forward = [fold.start];
            run.events.forEach((event) => forward.push(fold.next(forward.at(-1), event)));
            const wanted = forward.map((state) => structuredClone(state));
            const counts = [...wanted.keys()];
            const walk = numbers(name.length + panel.length);
            const jumps = Array.from({ length: 100 }, () => walk.next().value % counts.length);
            // One goes back from the end without having seen what is before it.
            for (const way of [[...counts, ...counts.toReversed(), ...jumps], counts.toReversed()]) {
                const history = new History(fold, run.events);
                for (const count of way) {
                    assert.deepEqual(history.at(count), wanted[count], `${name}, ${panel}, after ${count}`);
                    steps += 1;
                }
            }
            // A fold makes new states, and leaves the old ones alone.
            assert.deepEqual(forward, wanted, `${name}, ${panel}`);
        }
    }
    t.diagnostic(`${traces.length} traces, ${Object.keys(FOLDS).length} panels, ${steps} states compared`);
});

test("each panel has a trace that uses it, and that changes its state", () => {
    for (const [panel, fold] of Object.entries(FOLDS)) {
        const moves = ({ events }) => events.some(fold.uses)
            && new Set(events.map((_, n) => inspect(new History(fold, events).at(n), { depth: 9 }))).size > 1;
        assert.ok(traces.some(({ run }) => moves(run)), panel);
    }
});

/** The state of a panel after these events. */
const after = (panel, ...events) => events.reduce(FOLDS[panel].next, FOLDS[panel].start);

test("a task is new, queued, polled, pending or done, and says what it waits for", () => {
    const task = (...events) => after("tasks", { ev: "spawn", task: 1 }, ...events).tasks.get(1);
    const poll = { ev: "poll_start", task: 1 };
    const pending = { ev: "poll_end", task: 1, result: "pending", wakers: 1 };
    assert.equal(task().life, "new");
    assert.deepEqual(after("tasks", { ev: "enqueue", task: 2 }, { ev: "enqueue", task: 1 }).queue, [2, 1]);
    assert.deepEqual(after("tasks", { ev: "enqueue", task: 2 }, { ev: "enqueue", task: 1 }, { ev: "poll_start", task: 2 }).queue, [1]);
    const running = task(poll);
    assert.deepEqual([running.life, running.polls], ["running", 1]);
    const waits = task(poll, { ev: "slot_set", fd: 3, slot: "read" }, { ev: "timer_set", timer: 4 }, { ev: "sqe", op: 5, kind: "recv" }, pending);
    assert.deepEqual([waits.life, waits.wakers, waits.waitsFor], ["pending", 1, ["fd3.read", "timer4", "op5"]]);
    const told = task(poll, { ev: "slot_set", fd: 3, slot: "read" }, pending, { ev: "slot_clear", fd: 3, slot: "read" }, { ev: "wake", task: 1, by: "fd3.read" });
    assert.deepEqual([told.waitsFor, told.woken], [[], true]);
    assert.equal(task(poll, { ev: "poll_end", task: 1, result: "ready", wakers: 0 }, { ev: "task_drop", task: 1 }).life, "done");
    assert.equal(task(poll, pending, { ev: "task_drop", task: 1 }).life, "dropped");
    assert.equal(task({ ev: "waker_clone", task: 1 }, { ev: "waker_clone", task: 1 }, { ev: "waker_drop", task: 1 }).wakers, 1);
});

test("a thread sleeps from park to unpark, each for itself", () => {
    const asleep = (...events) => [...after("threads", ...events).threads].map(([id, { asleep }]) => [id, asleep]);
    const park = { ev: "park", timeout: null };
    assert.deepEqual(asleep(park, { ev: "wake", task: 1, thread: 1 }), [[0, true], [1, false]]);
    assert.deepEqual(asleep(park, { ...park, thread: 1 }, { ev: "unpark" }), [[0, false], [1, true]]);
    assert.equal(after("threads", park, { ev: "end", how: "hung" }).end, "hung");
});

test("a slot has the waker of the task that armed it, and a report uses up what the kernel was asked for", () => {
    const fd = (...events) => after("reactor", { ev: "fd_add", fd: 1 }, { ev: "poll_start", task: 2 }, ...events).fds.get(1);
    const arm = [{ ev: "slot_set", fd: 1, slot: "read" }, { ev: "interest", fd: 1, read: true, write: false }];
    assert.deepEqual(fd(), { read: null, write: null, asks: { read: false, write: false }, reported: null });
    assert.deepEqual(fd(...arm), { read: 2, write: null, asks: { read: true, write: false }, reported: null });
    const reported = fd(...arm, { ev: "ready", fd: 1, read: true, write: false });
    assert.deepEqual([reported.asks.read, reported.reported.read, reported.read], [false, true, 2]);
    assert.equal(fd(...arm, { ev: "slot_clear", fd: 1, slot: "read" }).read, null);
    assert.equal(fd(...arm, { ev: "fd_delete", fd: 1 }).asks, null);
});

test("an operation goes from the queue to the kernel and back, and its buffer with it", () => {
    const sqe = (op) => ({ ev: "sqe", op, kind: "recv" });
    const state = (...events) => after("ring", sqe(1), { ev: "buffer_lent", op: 1 }, sqe(2), ...events);
    const places = (...events) => [...state(...events).ops.values()].map(({ at }) => at);
    assert.deepEqual(places(), ["queue", "queue"]);
    assert.deepEqual(places({ ev: "submit", count: 1 }), ["kernel", "queue"]);
    assert.deepEqual(state({ ev: "submit", count: 1 }).queue, [2]);
    assert.deepEqual(places({ ev: "submit", count: 2 }, { ev: "cqe", op: 1, ok: true }), ["completed", "kernel"]);
    assert.equal(state().ops.get(1).buffer, "kernel");
    assert.equal(state({ ev: "buffer_home", op: 1 }).ops.get(1).buffer, "home");
    assert.equal(state({ ev: "op_cancel", op: 2 }).ops.get(2).cancelled, true);
    assert.equal(state().ops.get(2).buffer, null);
});

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
