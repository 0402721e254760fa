// <rt-replay>: a recorded run, step by step; or two runs side by side.
//
// In the page, the element holds what the recorder has written for each run (support/trace,
// `Replay::to_html`): a script of JSON lines, and a list of the steps in words. Without JavaScript the
// list is what a reader gets. With it, this file adds the rest.
//
// First comes what knows no page: runs, folds, and how two runs keep step. Node tests it. Then the view.

(() => {
    "use strict";

    /**
     * One line of a trace: an event of support/trace, what the program printed (`note`), or `end`.
     * @typedef {{ ev: string, seq?: number, thread?: number, place?: number, [field: string]: any }} Event
     *
     * @typedef {{ file: string, line: number, text: [string, string, string] }} Place
     * @typedef {{ rule: string, says: string, at_end: boolean, broken: ?{ seq: number, why: string } }} Rule
     *
     * A run. After its n-th step, `stops[n]` events have happened: an event that is skipped happens
     * along with the step that follows it. `words[n]` says what the step after the n-th is.
     * @typedef {{
     *     title: string, command: ?string, names: Object<string, Object<string, string>>,
     *     rules: Rule[], places: Place[], events: Event[], stops: number[], words: string[],
     * }} Run
     */

    // ── Runs ────────────────────────────────────────────────────────────────────────────────────

    /** What is wrong with a trace, in a sentence for the reader of the page. */
    class BrokenTrace extends Error {}

    /**
     * @param {string} text the JSON lines
     * @param {string[]} words the steps in words
     * @returns {Run}
     */
    function readRun(text, words) {
        const lines = text.split("\n").map(readLine).filter((line) => line !== null);
        const header = lines.find(({ title, names, skip }) => title && names && Array.isArray(skip));
        if (header === undefined) {
            throw new BrokenTrace("the line that says what it is about is missing.");
        }
        const rules = lines.filter((line) => line.rule !== undefined);
        const places = lines.filter((line) => line.file !== undefined);
        const events = lines.filter((line) => line.ev !== undefined);
        if (events.at(-1)?.ev !== "end") {
            throw new BrokenTrace("its last line is not the end of a run.");
        }
        if (events.some(({ place }) => place !== undefined && places[place] === undefined)) {
            throw new BrokenTrace("an event is at a place that is not in its list.");
        }
        const stops = [0];
        events.forEach((event, index) => {
            if (!header.skip.includes(event.ev)) {
                stops.push(index + 1);
            }
        });
        if (words.length !== stops.length - 1) {
            throw new BrokenTrace(`it has ${stops.length - 1} steps, and ${words.length} sentences.`);
        }
        const { title, command, names } = header;
        return { title, command, names, rules, places, events, stops, words };
    }

    function readLine(text, index) {
        if (text.trim() === "") {
            return null;
        }
        let line;
        try {
            line = JSON.parse(text);
        } catch (error) {
            throw new BrokenTrace(`its line ${index} is no JSON (${error.message}).`);
        }
        if (line === null || typeof line !== "object") {
            throw new BrokenTrace(`its line ${index} is no event.`);
        }
        return line;
    }

    /** How many steps a run has. */
    const lengthOf = (run) => run.stops.length - 1;

    /** The event of the n-th step, counted from 1. */
    const eventOf = (run, step) => run.events[run.stops[step] - 1];

    // ── Folds: each panel shows a state, and the state is made of the events alone ──────────────

    /**
     * @template State
     * @typedef {{ uses: (event: Event) => boolean, start: State, next: (state: State, event: Event) => State }} Fold
     */

    const NEW_TASK = { life: "new", polls: 0, wakers: 0, woken: false, waitsFor: [] };

    /** A map in which the entry of `key` is changed, or made from `fresh`. */
    function changed(map, key, change, fresh) {
        return new Map(map).set(key, { ...(map.get(key) ?? fresh), ...change });
    }

    function without(list, item) {
        const place = list.indexOf(item);
        return place < 0 ? list : [...list.slice(0, place), ...list.slice(place + 1)];
    }

    /** What a task can wait for, by the events that begin and end it. */
    const WAITS = {
        slot_set: (event) => ({ begins: true, what: `fd${event.fd}.${event.slot}` }),
        slot_clear: (event) => ({ begins: false, what: `fd${event.fd}.${event.slot}` }),
        timer_set: (event) => ({ begins: true, what: `timer${event.timer}` }),
        timer_waker: (event) => ({ begins: true, what: `timer${event.timer}` }),
        timer_fire: (event) => ({ begins: false, what: `timer${event.timer}` }),
        timer_cancel: (event) => ({ begins: false, what: `timer${event.timer}` }),
        sqe: (event) => ({ begins: true, what: `op${event.op}` }),
        cqe: (event) => ({ begins: false, what: `op${event.op}` }),
    };

    const LIFE_AFTER_POLL = { ready: "done", pending: "pending", panicked: "panicked" };

    /** Who lives, who is queued, who is polled, who waits for what. */
    const tasksFold = {
        uses: (event) => event.task !== undefined,
        start: { tasks: new Map(), queue: [], running: new Map() },
        next(state, event) {
            const { tasks, queue, running } = state;
            const { task, thread = 0 } = event;
            const change = (what) => ({ ...state, tasks: changed(tasks, task, what, NEW_TASK) });
            const known = tasks.get(task) ?? NEW_TASK;
            switch (event.ev) {
                case "spawn":
                    return change(NEW_TASK);
                case "enqueue":
                    return { ...change({}), queue: [...queue, task] };
                case "poll_start":
                    return {
                        ...change({ life: "running", polls: known.polls + 1, woken: false, waitsFor: [] }),
                        queue: without(queue, task),
                        running: new Map(running).set(thread, task),
                    };
                case "poll_end": {
                    const others = new Map(running);
                    others.delete(thread);
                    const life = LIFE_AFTER_POLL[event.result] ?? event.result;
                    return { ...change({ life, wakers: event.wakers }), running: others };
                }
                case "task_drop":
                    return {
                        ...change(known.life === "pending" || known.life === "new" ? { life: "dropped" } : {}),
                        queue: without(queue, task),
                    };
                case "waker_clone":
                    return change({ wakers: known.wakers + 1 });
                case "waker_drop":
                    return change({ wakers: Math.max(0, known.wakers - 1) });
                case "wake":
                    return change({ woken: true });
            }
            const wait = WAITS[event.ev]?.(event);
            return wait === undefined ? state : { ...state, tasks: waiting(state, thread, wait) };
        },
    };

    /** The tasks after one of them has begun to wait for something, or nobody waits for it any more. */
    function waiting({ tasks, running }, thread, { begins, what }) {
        const waiter = begins ? running.get(thread) : undefined;
        return new Map([...tasks].map(([id, task]) => {
            const others = without(task.waitsFor, what);
            return [id, { ...task, waitsFor: id === waiter ? [...others, what] : others }];
        }));
    }

    /** Which threads sleep. */
    const threadsFold = {
        uses: (event) => event.ev === "park" || event.ev === "poll_start",
        start: { threads: new Map(), end: null },
        next(state, event) {
            const { ev, thread = 0 } = event;
            const change = (what) =>
                ({ ...state, threads: changed(state.threads, thread, what, { asleep: false, polls: null }) });
            switch (ev) {
                case "park":
                    return change({ asleep: true, limit: event.timeout ?? null });
                case "unpark":
                    return change({ asleep: false });
                case "poll_start":
                    return change({ polls: event.task });
                case "poll_end":
                    return change({ polls: null });
                case "end":
                    return { ...state, end: event.how };
                case "note":
                    return state;
            }
            return state.threads.has(thread) ? state : change({});
        },
    };

    const NEW_FD = { read: null, write: null, asks: null, reported: null };

    /** For each descriptor: whose wakers the reactor keeps, and what the kernel was asked for. */
    const reactorFold = {
        uses: (event) => event.fd !== undefined,
        start: { fds: new Map(), running: new Map() },
        next(state, event) {
            const { fd, thread = 0 } = event;
            const change = (what) => ({ ...state, fds: changed(state.fds, fd, what, NEW_FD) });
            switch (event.ev) {
                case "poll_start":
                    return { ...state, running: new Map(state.running).set(thread, event.task) };
                case "poll_end": {
                    const running = new Map(state.running);
                    running.delete(thread);
                    return { ...state, running };
                }
                case "fd_add":
                    return change({ ...NEW_FD, asks: { read: false, write: false } });
                case "fd_delete":
                    return change({ asks: null });
                case "slot_set":
                    return change({ [event.slot]: state.running.get(thread) ?? "somebody" });
                case "slot_clear":
                    return change({ [event.slot]: null });
                case "interest":
                    return change({ asks: { read: event.read, write: event.write }, reported: null });
                case "ready":
                    // The entry is one-shot: a report uses it up.
                    return change({
                        asks: { read: false, write: false },
                        reported: { read: event.read, write: event.write },
                    });
            }
            return state;
        },
    };

    /** Where each operation of a ring is, and who has its buffer. */
    const ringFold = {
        uses: (event) => event.op !== undefined,
        start: { ops: new Map(), queue: [] },
        next(state, event) {
            const { op } = event;
            const change = (what) => ({ ...state, ops: changed(state.ops, op, what, {}) });
            switch (event.ev) {
                case "sqe": {
                    const fresh = { kind: event.kind, at: "queue", buffer: null, ok: null, cancelled: false };
                    return { ...change(fresh), queue: [...state.queue, op] };
                }
                case "submit": {
                    const taken = state.queue.slice(0, event.count);
                    const ops = taken.reduce((map, op) => changed(map, op, { at: "kernel" }, {}), state.ops);
                    return { ops, queue: state.queue.slice(event.count) };
                }
                case "cqe":
                    return { ...change({ at: "completed", ok: event.ok }), queue: without(state.queue, op) };
                case "op_cancel":
                    return change({ cancelled: true });
                case "buffer_lent":
                    return change({ buffer: "kernel" });
                case "buffer_home":
                    return change({ buffer: "home" });
            }
            return state;
        },
    };

    const NEW_TIMER = { waker: null, hangs: null };

    /** The deadlines that are waited for: whom each wakes, and in which slot of which wheel it hangs. */
    const timersFold = {
        uses: (event) => event.ev === "timer_set",
        start: { pending: new Map(), running: new Map(), last: null, tick: null },
        next(state, event) {
            const { timer, thread = 0 } = event;
            const change = (what) =>
                ({ ...state, pending: changed(state.pending, timer, what, NEW_TIMER), last: null });
            switch (event.ev) {
                case "poll_start":
                    return { ...state, running: new Map(state.running).set(thread, event.task) };
                case "poll_end": {
                    const running = new Map(state.running);
                    running.delete(thread);
                    return { ...state, running };
                }
                case "timer_set":
                case "timer_waker":
                    return change({ waker: state.running.get(thread) ?? null });
                case "timer_hang":
                    return change({ hangs: { wheel: event.wheel, slot: event.slot } });
                case "wheel_turn":
                    return { ...takenOut(state, event), tick: event.tick };
                case "timer_fire":
                case "timer_cancel": {
                    const pending = new Map(state.pending);
                    pending.delete(timer);
                    return { ...state, pending, last: { timer, came: event.ev === "timer_fire" } };
                }
            }
            return state;
        },
    };

    /** The deadlines after a slot has been emptied. What cascades is hung again, the rest is due. */
    function takenOut(state, { wheel, slot }) {
        const pending = new Map([...state.pending].map(([timer, { waker, hangs }]) => {
            const isThere = hangs !== null && hangs.wheel === wheel && hangs.slot === slot;
            return [timer, { waker, hangs: isThere ? null : hangs }];
        }));
        return { ...state, pending };
    }

    /** The same deadlines, for those that hang in wheels. */
    const wheelsFold = { ...timersFold, uses: (event) => event.ev === "timer_hang" };

    /** How many messages from other threads nobody has read yet. */
    const inboxFold = {
        uses: (event) => event.ev === "inbox_push",
        start: 0,
        next(unread, event) {
            switch (event.ev) {
                case "inbox_push":
                    return unread + 1;
                case "inbox_take":
                    return unread - event.count;
            }
            return unread;
        },
    };

    /** What the program has printed. */
    const printedFold = {
        uses: (event) => event.ev === "note",
        start: [],
        next: (lines, event) => (event.ev === "note" ? [...lines, event.text] : lines),
    };

    /** @type {Object<string, Fold<any>>} */
    const FOLDS = {
        printed: printedFold,
        threads: threadsFold,
        tasks: tasksFold,
        reactor: reactorFold,
        inbox: inboxFold,
        ring: ringFold,
        timers: timersFold,
        wheels: wheelsFold,
    };

    /** The states of a fold over the events of a run. Going back starts from the last checkpoint. */
    class History {
        static EVERY = 64;

        /** @param {Fold<any>} fold @param {Event[]} events */
        constructor(fold, events) {
            this.fold = fold;
            this.events = events;
            this.checkpoints = [fold.start];
        }

        /** The state after the first `count` events. */
        at(count) {
            const wanted = Math.floor(count / History.EVERY);
            while (this.checkpoints.length <= wanted) {
                const from = (this.checkpoints.length - 1) * History.EVERY;
                this.checkpoints.push(this.replay(this.checkpoints.at(-1), from, from + History.EVERY));
            }
            return this.replay(this.checkpoints[wanted], wanted * History.EVERY, count);
        }

        replay(state, from, to) {
            return this.events.slice(from, to).reduce(this.fold.next, state);
        }
    }

    /** The rules of a run, and which of them are broken after the first `count` events. */
    function badges(run, count) {
        const happened = run.events.slice(0, count);
        const isOver = happened.at(-1)?.ev === "end";
        const seen = (seq) => happened.some((event) => event.seq === seq);
        return run.rules.map(({ rule, says, at_end, broken }) => {
            const shows = broken !== null && (at_end ? isOver : seen(broken.seq));
            return { rule, says, broken: shows ? broken : null };
        });
    }

    /** A rule that one of two runs is about is shown for both. */
    function shareRules(runs) {
        for (const run of runs) {
            const missing = runs.flatMap((other) => other.rules)
                .filter(({ rule }) => !run.rules.some((known) => known.rule === rule));
            run.rules = [...run.rules, ...missing.map((rule) => ({ ...rule, broken: null }))];
        }
    }

    // ── Two runs in step ────────────────────────────────────────────────────────────────────────

    /** What it costs to take two different steps at once, and to take one alone. */
    const APART = 2;
    const ALONE = 3;

    /** What two events have in common if they are the same step. */
    function keyOf(event) {
        const { seq, place, ...rest } = event;
        return JSON.stringify(rest);
    }

    /**
     * The rows of a replay: how many steps each run has taken. Two runs take the same steps at the same
     * time, at the least cost of others. When one is over, the other goes on alone, at no cost.
     * @param {Run[]} runs one or two
     * @returns {number[][]}
     */
    function rowsOf(runs) {
        const [keys, others] = runs.map((run) => run.stops.slice(1).map((_, n) => keyOf(eventOf(run, n + 1))));
        if (others === undefined) {
            return [[0], ...keys.map((_, n) => [n + 1])];
        }
        const firstApart = keys.findIndex((key, n) => key !== others[n]);
        const same = firstApart < 0 ? keys.length : firstApart;
        const apart = rowsApart(keys.slice(same), others.slice(same));
        return [
            ...keys.slice(0, same).map((_, n) => [n, n]),
            ...apart.map((row) => row.map((taken) => same + taken)),
        ];
    }

    /** The same, for steps of which the first ones differ. */
    function rowsApart(keys, others) {
        const cost = costs(keys, others);
        let [n, m] = cheapestEnd(cost);
        const rows = [];
        for (let left = keys.length; left > n; left -= 1) rows.push([left, m]);
        for (let right = others.length; right > m; right -= 1) rows.push([n, right]);
        while (n > 0 || m > 0) {
            rows.push([n, m]);
            const together = n > 0 && m > 0 ? cost[n - 1][m - 1] + (keys[n - 1] === others[m - 1] ? 0 : APART) : Infinity;
            if (together === cost[n][m]) {
                n -= 1;
                m -= 1;
            } else if (n > 0 && cost[n - 1][m] + ALONE === cost[n][m]) {
                n -= 1;
            } else {
                m -= 1;
            }
        }
        return [...rows, [0, 0]].reverse();
    }

    /** `costs[n][m]`: what it costs at least to take the first n steps beside the first m. */
    function costs(keys, others) {
        const cost = [[0, ...others.map((_, m) => (m + 1) * ALONE)]];
        keys.forEach((key, n) => {
            const row = [(n + 1) * ALONE];
            others.forEach((other, m) => {
                const together = cost[n][m] + (key === other ? 0 : APART);
                row.push(Math.min(together, cost[n][m + 1] + ALONE, row[m] + ALONE));
            });
            cost.push(row);
        });
        return cost;
    }

    /** Where one of two runs is over, at the least cost. */
    function cheapestEnd(cost) {
        const n = cost.length - 1;
        const m = cost[0].length - 1;
        const ends = [...cost.map((_, left) => [left, m]), ...cost[0].map((_, right) => [n, right])];
        return ends.reduce((best, end) => (cost[end[0]][end[1]] < cost[best[0]][best[1]] ? end : best));
    }

    // ── Prediction ──────────────────────────────────────────────────────────────────────────────

    /**
     * The next step of a run that is worth a question, and what the reader picks from. What a program
     * prints is not asked for.
     * @param {Run[]} runs the one that the question is about, and the one beside it, if there is one
     * @param {number[]} taken how many steps each has taken
     * @returns {?{ step: number, answer: string, choices: string[] }}
     */
    function question([run, other], [taken, takenBeside]) {
        let step = taken + 1;
        while (step <= lengthOf(run) && eventOf(run, step).ev === "note") step += 1;
        if (step > lengthOf(run)) {
            return null;
        }
        const answer = run.words[step - 1];
        const wrong = new Set();
        const consider = (from, at, ...left_out) => {
            if (at > 0 && at <= lengthOf(from) && !left_out.includes(eventOf(from, at).ev)) {
                wrong.add(from.words[at - 1]);
            }
        };
        // First the other run's way on, then what happens soon, then what has happened and can again.
        if (other !== undefined) consider(other, takenBeside + 1, "note");
        for (let ahead = 1; ahead <= 4; ahead += 1) consider(run, step + ahead, "note", "end", eventOf(run, step).ev);
        for (let back = 2; back <= step; back += 1) consider(run, step - back, "note", "spawn", "task_drop", "fd_add");
        for (let ahead = 1; ahead <= lengthOf(run); ahead += 1) consider(run, step + ahead, "note");
        for (let ahead = 2; other !== undefined && ahead <= lengthOf(other); ahead += 1) consider(other, takenBeside + ahead, "note");
        if (taken > 0) wrong.delete(run.words[taken - 1]);
        wrong.delete(answer);
        if (wrong.size === 0) {
            return null;
        }
        return { step, answer, choices: [answer, ...[...wrong].slice(0, 3)].sort() };
    }

    const model = {
        BrokenTrace, FOLDS, History, badges, eventOf, keyOf, lengthOf, question, readRun, rowsOf,
    };
    if (typeof module !== "undefined") {
        module.exports = model;
        return;
    }

    // ── The view ────────────────────────────────────────────────────────────────────────────────

    /** Milliseconds from step to step, by what the reader chooses. */
    const SPEEDS = { slow: 2400, normal: 1200, fast: 500, "very fast": 150 };

    /** An element with attributes (functions listen, `false` leaves out) and children. */
    function make(tag, attributes = {}, ...children) {
        const element = document.createElement(tag);
        for (const [name, value] of Object.entries(attributes)) {
            if (typeof value === "function") {
                element.addEventListener(name, value);
            } else if (value !== false && value !== null) {
                element.setAttribute(name, value === true ? "" : value);
            }
        }
        element.append(...children.flat().filter((child) => child !== null && child !== undefined));
        return element;
    }

    const UNNAMED = { task: "task ", fd: "descriptor ", thread: "thread ", timer: "deadline ", op: "operation " };

    /** What a task, a descriptor or whatever is called in a table. */
    function nameOf(run, kind, number) {
        const name = run.names[kind]?.[number];
        if (name !== undefined) {
            return name.replace(/^the /, "");
        }
        if (kind === "task" && number === 0) {
            return "main future";
        }
        return kind === "thread" && number === 0 ? "thread" : `${UNNAMED[kind]}${number}`;
    }

    /** What is waited for, in words: `fd1.read`, `timer2` and `op3` are what the fold knows. */
    function waitName(run, what) {
        const [, kind, number, direction] = what.match(/^(\D+)(\d+)(?:\.(\w+))?$/);
        return nameOf(run, kind, number) + (direction === undefined ? "" : ` (${direction})`);
    }

    const chip = (text, kind) => make("span", { class: `rt-chip rt-${kind}` }, text);

    const nothing = () => make("p", {}, "Nothing yet.");

    /** A table whose touched rows are those that the current event names. */
    function table(heads, rows) {
        if (rows.length === 0) {
            return nothing();
        }
        const head = make("tr", {}, heads.map((text) => make("th", { scope: "col" }, text)));
        const body = rows.map(({ touched, cells: [first, ...rest] }) =>
            make("tr", { class: touched ? "rt-touched" : false },
                make("th", { scope: "row" }, first), rest.map((cell) => make("td", {}, cell))));
        return make("table", {}, make("thead", {}, head), make("tbody", {}, body));
    }

    const sorted = (map) => [...map].sort(([one], [other]) => one - other);

    /** @type {Object<string, { title: string, show: (state: any, run: Run, event: ?Event) => Node[] }>} */
    const PANELS = {
        printed: {
            title: "Printed",
            show: (lines, run, event) => [
                make("div", { class: "rt-printed" }, lines.length === 0 ? "Nothing yet." : lines.map((line, n) =>
                    make("div", { class: event?.ev === "note" && n === lines.length - 1 ? "rt-touched" : false }, line))),
            ],
        },
        threads: {
            title: "Threads",
            show: ({ threads, end }, run, event) => threads.size === 0 ? [nothing()]
                : sorted(threads).map(([id, { asleep, limit, polls }]) => {
                    const state = asleep ? chip(sleepWords(limit), end === "hung" ? "bad" : "waiting")
                        : chip(polls === null ? "awake" : `polls ${nameOf(run, "task", polls)}`, "running");
                    const touched = (event?.thread ?? 0) === id && ["park", "unpark"].includes(event?.ev);
                    return make("p", { class: touched ? "rt-touched" : false }, `${nameOf(run, "thread", id)} `, state);
                }),
        },
        tasks: {
            title: "Tasks and run queue",
            show: ({ tasks, queue }, run, event) => [
                make("p", {}, "run queue: ", queue.length === 0 ? "empty"
                    : queue.map((id) => chip(nameOf(run, "task", id), "queued"))),
                tasks.size === 0 ? make("p", {}, "tasks: none yet")
                    : table(["task", "state", "wakers"], sorted(tasks).map(([id, task]) => ({
                        touched: event?.task === id,
                        cells: [nameOf(run, "task", id), taskChips(run, task, queue.includes(id)), wakerCell(task)],
                    }))),
            ],
        },
        reactor: {
            title: "Waker slots, and what the kernel was asked for",
            show: ({ fds }, run, event) => [
                table(["", "waker kept for", "kernel reports"], sorted(fds).flatMap(([fd, state]) =>
                    ["read", "write"].map((direction) => ({
                        touched: event?.fd === fd && (event.slot ?? direction) === direction,
                        cells: [`${nameOf(run, "fd", fd)}, ${direction}`, slotCell(run, state[direction]),
                            kernelCell(state, direction)],
                    })))),
            ],
        },
        ring: {
            title: "Operations, and who has the buffer",
            show: ({ ops }, run, event) => [
                table(["", "operation is", "buffer"], sorted(ops).map(([op, state]) => ({
                    touched: event?.op === op || (event?.ev === "submit" && state.at === "kernel"),
                    cells: [`${nameOf(run, "op", op)} (${state.kind})`, operationChips(state), bufferCell(state)],
                }))),
            ],
        },
        inbox: {
            title: "Inbox",
            show: (unread, run, event) => [
                make("p", { class: event?.ev.startsWith("inbox_") ? "rt-touched" : false },
                    unread === 0 ? "empty" : chip(unread === 1 ? "1 message" : `${unread} messages`, "queued")),
            ],
        },
        timers: {
            title: "Deadlines",
            show: ({ pending, last }, run, event) => [
                pending.size === 0 ? make("p", {}, "waited for: none")
                    : table(["waited for", "wakes"], [...pending].map(([timer, { waker }]) => ({
                        touched: event?.timer === timer,
                        cells: [nameOf(run, "timer", timer),
                            waker === null ? "somebody" : chip(nameOf(run, "task", waker), "task")],
                    }))),
                last === null ? null
                    : make("p", { class: "rt-touched" }, `${nameOf(run, "timer", last.timer)} `,
                        chip(last.came ? "has come" : "taken back", last.came ? "good" : "muted")),
            ],
        },
        wheels: {
            title: "Wheels",
            show: ({ pending, tick }, run, event) => [
                make("p", {}, tick === null ? "not turned yet" : `turned to tick ${tick}`),
                pending.size === 0 ? make("p", {}, "all slots are empty")
                    : table(["slot", "deadlines"], slotRows(run, pending, event)),
            ],
        },
    };

    /** The slots in which something hangs, the highest wheel first, and last what is due. */
    function slotRows(run, pending, event) {
        const slots = new Map();
        for (const [timer, { hangs }] of pending) {
            const [wheel, slot] = hangs === null ? [null, 0] : [hangs.wheel, hangs.slot];
            const key = wheel === null ? -Infinity : wheel * 1000 - slot;
            const row = slots.get(key) ?? { wheel, slot, timers: [] };
            slots.set(key, { ...row, timers: [...row.timers, timer] });
        }
        return [...slots].sort(([one], [other]) => other - one).map(([, { wheel, slot, timers }]) => ({
            touched: event?.wheel === wheel && event.slot === slot,
            cells: [wheel === null ? "taken out" : `wheel ${wheel + 1}, slot ${slot}`,
                timers.map((timer) => chip(nameOf(run, "timer", timer), wheel === null ? "good" : "waiting"))],
        }));
    }

    function sleepWords(limit) {
        if (limit === null) {
            return "sleeps";
        }
        const milliseconds = limit.secs * 1000 + limit.nanos / 1e6;
        return milliseconds === 0 ? "looks, without sleeping" : `sleeps for ${milliseconds} ms at most`;
    }

    const LIVES = { done: "good", panicked: "bad", dropped: "muted", new: "muted", running: "running" };

    function taskChips(run, { life, woken, wakers, waitsFor }, queued) {
        if (LIVES[life] !== undefined && !(life === "new" && queued)) {
            return [chip(life, LIVES[life]), queued && life === "running" ? chip("queued", "queued") : null];
        }
        if (queued || woken) {
            return [chip(queued ? "queued" : "woken", "queued")];
        }
        const forWhat = waitsFor.map((what) => ` ${waitName(run, what)}`).join(",");
        return [chip(forWhat === "" ? "waits" : `waits for${forWhat}`, wakers === 0 ? "bad" : "waiting")];
    }

    function wakerCell({ life, wakers, woken }) {
        const isMissed = life === "pending" && wakers === 0 && !woken;
        return make("span", { class: isMissed ? "rt-bad-text" : false }, String(wakers));
    }

    function slotCell(run, waiter) {
        if (waiter === null) {
            return "nobody";
        }
        return chip(waiter === "somebody" ? "somebody" : nameOf(run, "task", waiter), "runtime");
    }

    function kernelCell(state, direction) {
        if (state.asks === null) {
            return "not registered";
        }
        if (state.asks[direction]) {
            return chip("when ready", "kernel");
        }
        if (state.reported?.[direction]) {
            return chip("ready", "good");
        }
        return state[direction] === null ? "nothing" : chip("nothing", "bad");
    }

    function operationChips({ at, ok, cancelled }) {
        const where = { queue: "in the submission queue", kernel: "with the kernel" }[at]
            ?? (ok ? "completed" : "completed, with an error");
        const kind = { queue: "queued", kernel: "kernel" }[at] ?? (ok ? "good" : "muted");
        return [chip(where, kind), cancelled ? chip("given up", "muted") : null];
    }

    function bufferCell({ buffer, at }) {
        if (buffer === null) {
            return "none";
        }
        const isEarly = buffer === "home" && at === "kernel";
        return chip(buffer === "home" ? "at home" : "with the kernel", isEarly ? "bad" : buffer === "home" ? "task" : "kernel");
    }

    // ── Code of the page ────────────────────────────────────────────────────────────────────────

    /** The code block of the page, and the line in it, that shows a place; the line's neighbours decide. */
    function findInPage(place) {
        const [before, line, after] = place.text.map((text) => text.trim());
        let best = null;
        for (const code of document.querySelectorAll("main pre > code")) {
            const lines = code.textContent.split("\n").map((text) => text.trim());
            lines.forEach((text, index) => {
                const neighbours = (lines[index - 1] === before ? 1 : 0) + (lines[index + 1] === after ? 1 : 0);
                if (text === line && neighbours > (best?.neighbours ?? 0)) {
                    best = { code, index, neighbours };
                }
            });
        }
        return line === "" ? null : best;
    }

    /** The range of the n-th line of a code block, which highlighting has cut into spans. */
    function rangeOfLine(code, index) {
        const lines = code.textContent.split("\n");
        const start = lines.slice(0, index).reduce((sum, text) => sum + text.length + 1, 0);
        const range = document.createRange();
        const walker = document.createTreeWalker(code, NodeFilter.SHOW_TEXT);
        let offset = 0;
        for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
            const end = offset + node.data.length;
            if (offset <= start && start <= end) range.setStart(node, start - offset);
            const last = start + lines[index].length;
            if (offset <= last && last <= end) {
                range.setEnd(node, last - offset);
                break;
            }
            offset = end;
        }
        return range;
    }

    // ── One run on the screen ───────────────────────────────────────────────────────────────────

    class Lane {
        /**
         * @param {Run} run
         * @param {string[]} panels the names of those to show
         * @param {HTMLDetailsElement} words
         * @param {(step: number) => void} jump
         */
        constructor(run, panels, words, jump) {
            this.run = run;
            this.panels = panels.map((name) => ({
                name,
                history: new History(FOLDS[name], run.events),
                element: make("div", { class: `rt-panel rt-panel-${name}` }),
            }));
            this.now = make("p", { class: "rt-now" });
            this.where = make("div", { class: "rt-where" });
            this.rules = make("ul", { class: "rt-rules", "aria-label": "Rules" });
            this.mark = make("span", { class: "rt-mark", "aria-hidden": "true" });
            this.items = [...words.querySelectorAll("li")];
            this.items.forEach((item, index) => {
                item.replaceChildren(make("button", { type: "button", click: () => jump(index + 1) }, ...item.childNodes));
            });
            const parts = [
                make("p", { class: "rt-title" }, run.title),
                make("p", { class: "rt-command" }, run.command ?? ""),
                this.now, ...this.panels.map(({ element }) => element), this.rules, this.where, words,
            ];
            // A row of the grid for each, so that two runs stand level.
            this.element = make("section",
                { class: "rt-lane", "aria-label": run.title, style: `grid-row: span ${parts.length}` }, ...parts);
        }

        /** Shows the run after `taken` steps. `moved` says whether the last row of the replay took one. */
        show(taken, moved) {
            const { run } = this;
            const event = taken === 0 ? null : eventOf(run, taken);
            const count = run.stops[taken];
            this.element.classList.toggle("rt-waits", !moved);
            this.now.replaceChildren(...this.sentence(taken, event));
            this.now.classList.toggle("rt-bad-text", event?.ev === "end" && event.how !== "done");
            for (const { name, history, element } of this.panels) {
                element.replaceChildren(make("p", { class: "rt-caption" }, PANELS[name].title),
                    ...PANELS[name].show(history.at(count), run, event).filter((part) => part !== null));
                element.lastChild.scrollTop = element.lastChild.scrollHeight;
            }
            this.rules.replaceChildren(...badges(run, count).map(({ says, broken }) =>
                make("li", { class: broken === null ? "rt-holds" : "rt-broken" }, says,
                    broken === null ? null : make("span", {}, ` Broken at event ${broken.seq}: ${broken.why}.`))));
            this.showPlace(event);
            this.showItem(taken);
        }

        sentence(taken, event) {
            if (event === null) {
                return ["Before the first step."];
            }
            const number = event.seq === undefined ? (event.ev === "note" ? "prints" : "end") : String(event.seq);
            return [make("span", { class: "rt-number" }, number), " ", this.run.words[taken - 1]];
        }

        showPlace(event) {
            this.mark.remove();
            this.found = null;
            const place = event?.place === undefined ? null : this.run.places[event.place];
            if (place === null) {
                this.where.replaceChildren();
                return;
            }
            const name = `${place.file}:${place.line}`;
            const found = findInPage(place);
            const scroll = () => {
                const details = found.code.closest("details");
                if (details !== null) details.open = true;
                this.placeMark();
                const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
                this.mark.scrollIntoView({ block: "center", behavior: calm ? "auto" : "smooth" });
            };
            this.where.replaceChildren(
                found === null ? make("p", {}, name)
                    : make("p", {}, make("button", { type: "button", class: "rt-link", click: scroll }, `${name}, on this page`)),
                make("div", { class: "rt-code" }, dedented(place.text).map((text, n) =>
                    make("div", { class: n === 1 ? "rt-line" : false }, text === "" ? "\u00a0" : text))));
            this.found = found;
            this.placeMark();
        }

        /** Marks the line in the page's code, once more when the page has another shape. */
        placeMark() {
            if (this.found === null) {
                return;
            }
            const { code, index } = this.found;
            const pre = code.parentElement;
            const line = rangeOfLine(code, index).getBoundingClientRect();
            this.mark.style.top = `${line.top - pre.getBoundingClientRect().top}px`;
            this.mark.style.height = `${line.height}px`;
            pre.append(this.mark);
        }

        showItem(taken) {
            this.items.forEach((item, index) => {
                const isCurrent = index === taken - 1;
                item.toggleAttribute("aria-current", isCurrent);
                if (isCurrent) item.setAttribute("aria-current", "step");
            });
            const item = this.items[taken - 1];
            if (item !== undefined) {
                // Not scrollIntoView, which would move the page as well.
                const list = item.parentElement;
                list.scrollTop = item.offsetTop - list.offsetTop - list.clientHeight / 2;
            }
        }
    }

    function dedented(lines) {
        const indents = lines.filter((line) => line.trim() !== "").map((line) => line.search(/\S/));
        const indent = Math.min(...indents);
        return lines.map((line) => line.slice(indent));
    }

    // ── The element ─────────────────────────────────────────────────────────────────────────────

    class RtReplay extends HTMLElement {
        connectedCallback() {
            if (this.lanes !== undefined) {
                return;
            }
            try {
                this.setUp();
            } catch (error) {
                if (!(error instanceof BrokenTrace)) throw error;
                this.lanes = [];
                this.prepend(make("p", { class: "rt-error", role: "alert" }, `This run cannot be replayed: ${error.message}`));
            }
        }

        disconnectedCallback() {
            this.pause();
            removeEventListener("resize", this.reshape);
        }

        setUp() {
            const scripts = [...this.querySelectorAll("script.rt-trace")];
            const words = [...this.querySelectorAll("details.rt-words")];
            if (scripts.length === 0 || scripts.length > 2 || scripts.length !== words.length) {
                throw new BrokenTrace("the page has no trace for it.");
            }
            const runs = scripts.map((script, n) =>
                readRun(script.textContent, [...words[n].querySelectorAll("li")].map((item) => item.textContent)));
            shareRules(runs);
            this.rows = rowsOf(runs);
            const panels = Object.keys(FOLDS).filter((name) =>
                runs.some((run) => run.events.some(FOLDS[name].uses)));
            this.lanes = runs.map((run, n) => new Lane(run, panels, words[n], (step) => this.jump(n, step)));
            this.controls();
            this.append(this.bar, this.ask, this.live, make("div", { class: "rt-lanes" }, this.lanes.map((lane) => lane.element)));
            this.classList.add("rt-ready");
            this.tabIndex = 0;
            this.setAttribute("role", "group");
            this.setAttribute("aria-label", `Replay: ${runs.map((run) => run.title).join(", beside ")}`);
            this.addEventListener("keydown", (event) => this.key(event));
            this.reshape = () => this.lanes.forEach((lane) => lane.placeMark());
            addEventListener("resize", this.reshape);
            this.go(this.firstRow());
        }

        /** The row at which the page wants the replay to begin: `at` is an event's number in the first run. */
        firstRow() {
            const at = Number.parseInt(this.getAttribute("at") ?? "", 10);
            const { run } = this.lanes[0];
            const row = this.rows.findIndex(([taken]) => taken > 0 && eventOf(run, taken).seq === at);
            return Math.max(row, 0);
        }

        controls() {
            const button = (text, keys, click) =>
                make("button", { type: "button", "aria-keyshortcuts": keys, title: `Key: ${keys}`, click }, text);
            this.back = button("Back", "ArrowLeft", () => this.go(this.row - 1));
            this.step = button("Step", "ArrowRight", () => this.go(this.row + 1));
            this.playing = button("Play", "Space", () => this.toggle());
            this.predict = button("Predict the next event", "P", () => this.question());
            this.speed = make("select", { "aria-label": "Speed" }, Object.keys(SPEEDS).map((name) =>
                make("option", { selected: name === "normal" }, name)));
            this.speed.addEventListener("change", () => this.timer !== undefined && this.play());
            this.range = make("input", {
                type: "range", min: 0, max: this.rows.length - 1, value: 0, "aria-label": "Step",
                input: () => this.go(Number(this.range.value)),
            });
            this.count = make("span", { class: "rt-count" });
            this.bar = make("div", { class: "rt-bar" },
                this.back, this.step, this.playing, this.speed, this.predict, this.range, this.count);
            this.ask = make("div", { class: "rt-ask", hidden: true });
            this.live = make("p", { class: "rt-live", "aria-live": "polite" });
        }

        /** Shows a row. Whoever calls this moves by hand, so a question that was open is closed. */
        go(row) {
            this.row = Math.min(Math.max(row, 0), this.rows.length - 1);
            this.ask.hidden = true;
            const taken = this.rows[this.row];
            const before = this.rows[this.row - 1] ?? taken.map(() => 0);
            this.lanes.forEach((lane, n) => lane.show(taken[n], this.row === 0 || taken[n] > before[n]));
            const last = this.rows.length - 1;
            this.range.value = this.row;
            this.range.setAttribute("aria-valuetext", `Step ${this.row} of ${last}`);
            this.count.textContent = `${this.row} / ${last}`;
            this.back.disabled = this.row === 0;
            this.step.disabled = this.row === last;
            this.predict.disabled = this.row === last;
            this.live.textContent = this.spoken(taken, before);
            if (this.row === last) this.pause();
        }

        /** What has just happened, for those who do not see it. */
        spoken(taken, before) {
            const sentences = this.lanes.map(({ run }, n) => taken[n] > before[n] ? run.words[taken[n] - 1] : null);
            if (sentences.length === 2 && sentences[0] === sentences[1]) {
                return sentences[0] ?? "";
            }
            const titled = sentences.map((text, n) => text === null ? null : `${this.lanes[n].run.title}: ${text}`);
            return (sentences.length === 1 ? sentences : titled).filter((text) => text !== null).join(" ");
        }

        /** Goes to where a run has just taken this step. */
        jump(lane, step) {
            this.pause();
            this.go(this.rows.findIndex((taken) => taken[lane] === step));
        }

        toggle() {
            if (this.timer !== undefined) {
                this.pause();
                return;
            }
            if (this.row === this.rows.length - 1) this.go(0);
            this.play();
        }

        play() {
            clearInterval(this.timer);
            this.timer = setInterval(() => this.go(this.row + 1), SPEEDS[this.speed.value]);
            this.playing.textContent = "Pause";
        }

        pause() {
            clearInterval(this.timer);
            this.timer = undefined;
            if (this.playing !== undefined) this.playing.textContent = "Play";
        }

        /** Asks for the next event of the first run that is not over. */
        question() {
            this.pause();
            const taken = this.rows[this.row];
            const n = this.lanes.findIndex(({ run }, n) => taken[n] < lengthOf(run));
            if (n < 0) {
                return;
            }
            const runs = this.lanes.map((lane) => lane.run);
            const asked = n === 0 ? question(runs, taken) : question([...runs].reverse(), [...taken].reverse());
            if (asked === null) {
                return;
            }
            const title = this.lanes.length === 1 ? "What happens next?" : `${runs[n].title}: what happens next?`;
            const choices = asked.choices.map((text, index) =>
                make("button", { type: "button", click: () => this.answer(n, asked, text) }, `${index + 1}. ${text}`));
            this.ask.replaceChildren(make("p", {}, title), ...choices);
            this.ask.hidden = false;
            this.live.textContent = [title, ...choices.map((choice) => choice.textContent)].join(" ");
            choices[0].focus();
        }

        answer(lane, { step, answer }, chosen) {
            this.go(this.rows.findIndex((taken) => taken[lane] === step));
            const isRight = chosen === answer;
            const verdict = isRight ? `Yes. ${answer}` : `No. What happens is: ${answer}`;
            this.ask.replaceChildren(make("p", { class: isRight ? "rt-good-text" : "rt-bad-text" }, verdict));
            this.ask.hidden = false;
            this.live.textContent = verdict;
            this.focus();
        }

        key(event) {
            if (event.altKey || event.ctrlKey || event.metaKey || event.target === this.speed) {
                return;
            }
            const presses = event.target.closest("button, summary") !== null;
            const choice = this.ask.hidden ? undefined : this.ask.querySelectorAll("button")[event.key - 1];
            const keys = {
                ArrowLeft: () => { this.pause(); this.go(this.row - 1); },
                ArrowRight: () => { this.pause(); this.go(this.row + 1); },
                Home: () => { this.pause(); this.go(0); },
                End: () => { this.pause(); this.go(this.rows.length - 1); },
                p: () => this.question(),
                // On a button, the space bar presses it.
                " ": presses ? undefined : () => this.toggle(),
            };
            const act = choice === undefined ? keys[event.key] : () => choice.click();
            if (act !== undefined) {
                act();
                event.preventDefault();
                // The book turns its pages by the same keys.
                event.stopPropagation();
            }
        }
    }

    customElements.define("rt-replay", RtReplay);

    // A list that is closed would be missing on paper.
    let opened = [];
    addEventListener("beforeprint", () => {
        opened = [...document.querySelectorAll("details.rt-words:not([open])")];
        opened.forEach((details) => { details.open = true; });
    });
    addEventListener("afterprint", () => opened.forEach((details) => { details.open = false; }));
})();
