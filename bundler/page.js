// SPDX-License-Identifier: MIT
// The page of `rucksack inspect --html`. The document is hostile: members that are missing or of
// another type are read as absent, and strings come into the page by textContent alone, with what
// could reorder a line made visible.
"use strict";
(() => {
    const $ = (id) => document.getElementById(id);
    const given = JSON.parse($("data").textContent);
    const PARTS = ["libraries", "ruby", "runtime", "gems", "app"];

    const member = (value, key) =>
        value !== null && typeof value === "object" && Object.hasOwn(value, key) ? value[key] : undefined;
    const list = (value, key) => (Array.isArray(member(value, key)) ? value[key] : []);
    const text = (value, key) => (typeof member(value, key) === "string" ? value[key] : "");
    const number = (value, key) => (Number.isFinite(member(value, key)) && value[key] > 0 ? value[key] : 0);

    // Controls, and what Unicode has to turn a line around (UAX 9), as the terminal is told them.
    const visible = (string) =>
        string.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
            (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));

    const size = (bytes) => {
        let unit = 0;
        for (; bytes >= 1000 && unit < 4; unit++)
            bytes /= 1000;
        return (unit > 0 ? bytes.toFixed(1) : bytes) + " " + ["B", "kB", "MB", "GB", "TB"][unit];
    };
    const count = (n, one) => n + " " + one + (n === 1 ? "" : "s");

    function element(name, className, content) {
        const made = document.createElement(name);
        if (className)
            made.className = className;
        if (content !== undefined)
            made.textContent = visible(String(content));
        return made;
    }

    function button(content, action) {
        const made = element("button", "", content);
        made.type = "button";
        made.addEventListener("click", action);
        return made;
    }

    function drawing(name, attributes) {
        const made = document.createElementNS("http://www.w3.org/2000/svg", name);
        for (const [key, value] of Object.entries(attributes))
            made.setAttribute(key, value);
        return made;
    }

    // ---- what there is ----------------------------------------------------------------------

    const objects = list(given, "objects").map((one, index) => ({
        index,
        path: text(one, "image"),
        asked: text(one, "name"),
        name: text(one, "name").replace(/.*\//, "") || "?",
        reason: text(one, "reason"),
        isRoot: member(one, "root") === true,
        needs: list(one, "needs"),
        users: [],
    }));
    for (const object of objects) {
        object.needs = [...new Set(object.needs)].filter((to) =>
            Number.isInteger(to) && to >= 0 && to < objects.length && to !== object.index);
        for (const to of object.needs)
            objects[to].users.push(object.index);
    }
    // Where several have a name, the path tells which.
    const named = new Map();
    for (const object of objects)
        named.set(object.name, (named.get(object.name) ?? 0) + 1);
    for (const object of objects)
        object.label = named.get(object.name) > 1 && object.path !== "" ? object.path : object.name;
    const objectAt = new Map(objects.map((object) => [object.path, object]));

    // Of CycloneDX: names of licences by gem, and by package of the distribution.
    const licences = new Map();
    for (const one of list(member(given, "sbom"), "components")) {
        const kind = text(one, "purl").startsWith("pkg:gem/") ? "gem" : "package";
        const names = list(one, "licenses").map((choice) =>
            text(choice, "expression") || text(member(choice, "license"), "id") || text(member(choice, "license"), "name"))
            .filter((name) => name !== "");
        if (text(one, "name") !== "")
            licences.set(kind + " " + text(one, "name"), names);
    }
    const licencesOf = (gem, kind, name) => {
        const own = [...list(gem, "licenses"), ...list(gem, "licences"), text(gem, "license")]
            .filter((one) => typeof one === "string" && one !== "");
        return own.length > 0 ? own : licences.get(kind + " " + name) ?? [];
    };

    const reasons = new Map(Object.entries(member(given, "reasons") ?? {}).filter(([, why]) => typeof why === "string"));
    const reasonOf = (path) => {
        for (let at = path; at !== ""; at = at.includes("/") ? at.replace(/\/[^/]*$/, "") : "")
            if (reasons.has(at))
                return reasons.get(at);
        return "";
    };

    const libraries = new Map(list(given, "libraries").map((one) => [text(one, "name"), one]));
    const gems = new Map();
    for (const gem of list(given, "gems")) {
        const full = text(gem, "name") + "-" + text(gem, "version");
        const platform = text(gem, "platform");
        gems.set(full, gem);
        if (platform !== "" && platform !== "ruby")
            gems.set(full + "-" + platform, gem);
    }

    function describe(component) {
        const library = libraries.get(component.name);
        const gem = component.part === "gems" ? gems.get(component.name) : undefined;
        if (library !== undefined) {
            component.version = [text(library, "package"), text(library, "package_version")].join(" ").trim();
            component.why = text(library, "reason");
            component.licences = licencesOf(library, "package", text(library, "package"));
            component.objects = objects.filter((object) => !object.isRoot && object.asked === component.name);
        } else if (gem !== undefined) {
            component.version = text(gem, "version");
            component.why = reasonOf("gems/gems/" + component.name);
            component.licences = licencesOf(gem, "gem", text(gem, "name"));
            component.objects = objects.filter((object) => object.path.split("/").includes(component.name));
        } else {
            component.version = "";
            component.why = reasonOf(component.name);
            component.licences = [];
            component.objects = objects.filter((object) => object.path.startsWith(component.name + "/"));
        }
        component.words = [component.name, component.part, component.version, component.why, ...component.licences]
            .join("\n").toLowerCase();
        return component;
    }

    const components = list(given, "sizes").map((one) => describe({
        name: text(one, "name") || "?",
        part: PARTS.includes(text(one, "part")) ? text(one, "part") : "runtime",
        files: number(one, "files"),
        bytes: number(one, "bytes"),
        packed: number(one, "packed"),
    }));

    // As bundler/weight.c tells parts.
    const partOf = (path) => {
        const object = objectAt.get(path);
        if (path.startsWith("gems/"))
            return "gems";
        if (path.startsWith("app/"))
            return "app";
        if (path.startsWith(".rucksack/") || !path.includes("/"))
            return "runtime";
        return path.includes("/ruby") && (object === undefined || object.isRoot) ? "ruby" : "libraries";
    };

    // ---- search -----------------------------------------------------------------------------

    let wanted = "";
    const searched = []; // {words, show(is)}
    const isFound = (words) => wanted.split(/\s+/).every((word) => words.includes(word));

    function search() {
        let found = 0;
        wanted = $("search").value.trim().toLowerCase();
        for (const one of searched) {
            const is = isFound(one.words);
            one.show(is);
            found += one.counts && is ? 1 : 0;
        }
        $("found").textContent = wanted === "" ? "" : found + " of " + count(components.length, "component");
    }

    // ---- treemap ----------------------------------------------------------------------------

    let measure = "packed";
    let cells = [];
    let chosen = null;

    // Squarified treemaps (Bruls, Huizing, van Wijk 2000): rows as long as that makes them squarer.
    function squarify(items, x, y, width, height) {
        const placed = [];
        let rest = items.reduce((sum, item) => sum + item.weight, 0);
        let at = 0;
        while (at < items.length && rest > 0) {
            const scale = (width * height) / rest;
            const side = Math.min(width, height);
            const worst = (sum, least, most) => {
                const thick = (sum * scale) / side;
                return Math.max((most * scale) / thick / thick, (thick * thick) / (least * scale));
            };
            let end = at + 1;
            let sum = items[at].weight;
            while (end < items.length &&
                worst(sum + items[end].weight, items[end].weight, items[at].weight) <=
                worst(sum, items[end - 1].weight, items[at].weight))
                sum += items[end++].weight;
            const thick = (sum * scale) / side;
            let offset = 0;
            for (; at < end; at++) {
                const long = (items[at].weight * scale) / thick;
                placed.push(width >= height
                    ? { item: items[at], x, y: y + offset, width: thick, height: long }
                    : { item: items[at], x: x + offset, y, width: long, height: thick });
                offset += long;
            }
            if (width >= height) {
                x += thick;
                width -= thick;
            } else {
                y += thick;
                height -= thick;
            }
            rest -= sum;
        }
        return placed;
    }

    const weighed = (items) => items.filter((item) => item.weight > 0).sort((a, b) => b.weight - a.weight);

    function layOut(width, height) {
        const parts = weighed(PARTS.map((part) => {
            const inside = weighed(components.filter((one) => one.part === part)
                .map((component) => ({ component, weight: component[measure] })));
            return { inside, weight: inside.reduce((sum, item) => sum + item.weight, 0) };
        }));
        return squarify(parts, 0, 0, width, height)
            .flatMap((part) => squarify(part.item.inside, part.x, part.y, part.width, part.height));
    }

    function tell(component) {
        const panel = $("detail");
        const total = components.reduce((sum, one) => sum + one[measure], 0);
        chosen = component;
        for (const cell of cells)
            cell.button.setAttribute("aria-pressed", String(cell.component === component));
        panel.replaceChildren(element("h3", "", component.name));
        panel.append(element("p", "", size(component.packed) + " in the file, " + size(component.bytes) +
            " unpacked, " + count(component.files, "file") + ", " + component.part + "; " +
            ((100 * component[measure]) / (total || 1)).toFixed(1) + " % of all"));
        if (component.version !== "")
            panel.append(element("p", "", "Version: " + component.version));
        if (component.licences.length > 0)
            panel.append(element("p", "", "Licence: " + component.licences.join("; ")));
        if (component.why !== "")
            panel.append(element("p", "", "There because: " + component.why));
        if (component.objects.length > 0) {
            const links = element("p", "", "Objects: ");
            for (const object of component.objects.slice(0, 20))
                links.append(button(object.label, () => focusOn(object, true)), " ");
            if (component.objects.length > 20)
                links.append("and " + (component.objects.length - 20) + " more");
            panel.append(links);
        }
    }

    function moveTo(cell) {
        for (const one of cells)
            one.button.tabIndex = one === cell ? 0 : -1;
        cell.button.focus();
    }

    // The nearest cell whose middle lies beyond this one's edge.
    function neighbour(from, dx, dy) {
        let best = null;
        let least = Infinity;
        const middle = (cell) => [cell.x + cell.width / 2, cell.y + cell.height / 2];
        const [x, y] = middle(from);
        for (const cell of cells) {
            const [cx, cy] = middle(cell);
            const along = (cx - x) * dx + (cy - y) * dy;
            const across = Math.abs((cx - x) * dy) + Math.abs((cy - y) * dx);
            const far = along + 2 * across;
            if (cell !== from && along > (from.width * Math.abs(dx) + from.height * Math.abs(dy)) / 2 - 0.5 && far < least) {
                least = far;
                best = cell;
            }
        }
        return best;
    }

    const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

    function onKey(event) {
        const from = cells.find((cell) => cell.button === document.activeElement);
        const heaviest = [...cells].sort((a, b) => b.item.weight - a.item.weight);
        let to = null;
        if (from === undefined || event.altKey || event.ctrlKey || event.metaKey)
            return;
        if (Object.hasOwn(ARROWS, event.key))
            to = neighbour(from, ...ARROWS[event.key]) ?? from;
        else if (event.key === "Home")
            to = heaviest[0];
        else if (event.key === "End")
            to = heaviest[heaviest.length - 1];
        if (to === null)
            return;
        event.preventDefault();
        moveTo(to);
    }

    function place(cell, width, height) {
        const style = cell.button.style;
        style.left = (100 * cell.x) / width + "%";
        style.top = (100 * cell.y) / height + "%";
        style.width = (100 * cell.width) / width + "%";
        style.height = (100 * cell.height) / height + "%";
        cell.button.classList.toggle("small", cell.width < 42 || cell.height < 20);
        cell.button.classList.toggle("other", !isFound(cell.component.words));
    }

    function drawTreemap() {
        const box = $("treemap");
        const { width, height } = box.getBoundingClientRect();
        if (width < 1 || height < 1)
            return;
        const focused = cells.find((cell) => cell.button === document.activeElement);
        cells = layOut(width, height).map((cell) => ({ ...cell, component: cell.item.component }));
        box.replaceChildren();
        for (const cell of cells) {
            const { component } = cell;
            const label = element("span", component.part);
            label.textContent = visible(component.name) + "\n" + size(component[measure]);
            cell.button = button(undefined, () => tell(component));
            cell.button.append(label);
            cell.button.tabIndex = -1;
            cell.button.setAttribute("aria-label", visible(component.name) + ", " + component.part + ", " + size(component[measure]));
            cell.button.setAttribute("aria-pressed", String(component === chosen));
            cell.button.title = visible(component.name) + ": " + size(component[measure]);
            place(cell, width, height);
            box.append(cell.button);
        }
        const first = cells.find((cell) => focused && cell.component === focused.component) ?? cells[0];
        if (first !== undefined)
            first.button.tabIndex = 0;
        if (first !== undefined && focused !== undefined)
            first.button.focus();
        drawLegend();
    }

    function drawLegend() {
        $("legend").replaceChildren(...PARTS.map((part) => {
            const item = element("li");
            const sum = components.filter((one) => one.part === part).reduce((all, one) => all + one[measure], 0);
            item.append(element("span", part), element("span", "", part + " " + size(sum)));
            return item;
        }));
    }

    function setUpTreemap() {
        $("size").hidden = components.length === 0;
        $("treemap").addEventListener("keydown", onKey);
        for (const radio of document.querySelectorAll("input[name=measure]"))
            radio.addEventListener("change", () => {
                measure = radio.value;
                drawTreemap();
                if (chosen !== null)
                    tell(chosen);
            });
        for (const component of components)
            searched.push({
                words: component.words,
                counts: true,
                show: (is) => cells.find((cell) => cell.component === component)?.button.classList.toggle("other", !is),
            });
        new ResizeObserver(drawTreemap).observe($("treemap"));
        drawTreemap();
        $("detail").append(element("p", "hint", "Choose a component to see why it is there."));
    }

    // ---- table ------------------------------------------------------------------------------

    const hasLicences = components.some((one) => one.licences.length > 0);
    const columns = [
        { title: "Name", key: (one) => one.name },
        { title: "Version", key: (one) => one.version },
        { title: "Part", key: (one) => one.part },
        { title: "In the file", key: (one) => one.packed, show: size },
        { title: "Unpacked", key: (one) => one.bytes, show: size },
        { title: "Files", key: (one) => one.files, show: String },
        ...(hasLicences ? [{ title: "Licence", key: (one) => one.licences.join("; ") }] : []),
        { title: "There because", key: (one) => one.why, isLong: true },
    ];

    function rowOf(component) {
        const row = element("tr");
        for (const column of columns) {
            const isName = column.title === "Name";
            const value = column.key(component);
            const cell = element(isName ? "th" : "td", column.show ? "number" : column.isLong ? "long" : "",
                column.show ? column.show(value) : value);
            if (isName)
                cell.scope = "row";
            row.append(cell);
        }
        return row;
    }

    function setUpTable() {
        const body = $("table").tBodies[0];
        const head = $("table").tHead.rows[0];
        const rows = components.map((component) => ({ component, row: rowOf(component) }));
        const headings = columns.map((column) => {
            const heading = element("th", column.show ? "number" : "");
            heading.scope = "col";
            heading.append(button(column.title, () => sortBy(column, heading)));
            return heading;
        });
        function sortBy(column, heading) {
            const isDown = heading.getAttribute("aria-sort") === (column.show ? null : "ascending");
            const down = column.show ? heading.getAttribute("aria-sort") !== "descending" : isDown;
            for (const other of headings)
                other.removeAttribute("aria-sort");
            heading.setAttribute("aria-sort", down ? "descending" : "ascending");
            rows.sort((a, b) => {
                const x = column.key(a.component);
                const y = column.key(b.component);
                return (down ? -1 : 1) * (column.show ? x - y : x.localeCompare(y));
            });
            body.replaceChildren(...rows.map((one) => one.row));
        }
        head.replaceChildren(...headings);
        body.replaceChildren(...rows.map((one) => one.row));
        headings[3].setAttribute("aria-sort", "descending");
        for (const { component, row } of rows)
            searched.push({ words: component.words, show: (is) => { row.hidden = !is; } });
    }

    // ---- dependencies -----------------------------------------------------------------------

    // The shortest way up to what no object asks for: [root, ..., object].
    function wayTo(object) {
        const below = new Map([[object.index, null]]);
        const queue = [object.index];
        for (let at = 0; at < queue.length; at++) {
            const one = objects[queue[at]];
            if (one.isRoot || one.users.length === 0) {
                const way = [];
                for (let index = one.index; index !== null; index = below.get(index))
                    way.push(objects[index]);
                return way;
            }
            for (const user of one.users)
                if (!below.has(user)) {
                    below.set(user, one.index);
                    queue.push(user);
                }
        }
        return [object];
    }

    function drawWay(object) {
        const chain = element("ol", "chain");
        const way = wayTo(object);
        chain.append(element("li", "", way[0].reason || "no reason is told"));
        for (const [step, one] of way.entries()) {
            const item = element("li");
            if (one === object)
                item.append(element("strong", "", one.label));
            else
                item.append(button(one.label, () => focusOn(one, true)));
            item.append(element("small", "", step > 0 ? "needed by " + way[step - 1].name + ", as " + one.asked
                : one.isRoot ? "opened by a program or by require" : "no object asks for it"));
            chain.append(item);
        }
        return chain;
    }

    const MANY = 8;

    function drawSide(title, indices, reason) {
        const side = element("div");
        const items = element("ul");
        const addUpTo = (end) => {
            for (const index of indices.slice(items.childElementCount, end)) {
                const item = element("li");
                const go = button(objects[index].label, () => focusOn(objects[index], true));
                go.append(element("small", "", reason(objects[index])));
                item.append(go);
                items.append(item);
            }
        };
        addUpTo(MANY);
        side.append(element("h3", "", title + ": " + indices.length), items);
        if (indices.length > MANY)
            side.append(button((indices.length - MANY) + " more", (event) => {
                addUpTo(indices.length);
                items.children[MANY].firstChild.focus();
                event.target.remove();
                drawEdges();
            }));
        return side;
    }

    function drawEdges() {
        const graph = document.querySelector(".graph");
        if (graph === null)
            return;
        const lines = graph.querySelector("svg");
        const origin = graph.getBoundingClientRect();
        const self = graph.querySelector(".self").getBoundingClientRect();
        const middle = (box) => box.top + box.height / 2 - origin.top;
        const curve = (x1, y1, x2, y2) => drawing("path", {
            d: `M${x1} ${y1}C${(x1 + x2) / 2} ${y1} ${(x1 + x2) / 2} ${y2} ${x2} ${y2}`,
        });
        lines.replaceChildren();
        for (const one of graph.querySelectorAll(".users li")) {
            const box = one.getBoundingClientRect();
            lines.append(curve(box.right - origin.left, middle(box), self.left - origin.left, middle(self)));
        }
        for (const one of graph.querySelectorAll(".needs li")) {
            const box = one.getBoundingClientRect();
            lines.append(curve(self.right - origin.left, middle(self), box.left - origin.left, middle(box)));
        }
    }

    function focusOn(object, isAsked) {
        const panel = $("focus");
        const graph = element("div", "graph");
        const users = drawSide("Needed by", object.users, () => "asks for " + object.asked);
        const needs = drawSide("Needs", object.needs, (one) => "as " + one.asked);
        const self = element("div", "self", object.name);
        users.classList.add("users");
        needs.classList.add("needs");
        self.append(element("small", "", object.reason));
        graph.append(users, self, needs, drawing("svg", { "aria-hidden": "true" }));
        panel.replaceChildren(element("h3", "", object.name), element("p", "", "/" + object.path),
            element("p", "hint", "Why it is there:"), drawWay(object), graph);
        for (const one of document.querySelectorAll("#objects button"))
            one.setAttribute("aria-current", String(one.dataset.index === String(object.index)));
        chooseStop();
        drawEdges();
        if (isAsked) {
            panel.focus({ preventScroll: true });
            panel.scrollIntoView({ block: "nearest" });
        }
    }

    // One stop for Tab, as in the treemap: the shown object's, or the first that is found.
    function chooseStop() {
        const buttons = [...$("objects").querySelectorAll("button")];
        const isListed = (one) => !one.parentElement.hidden;
        const stop = buttons.find((one) => isListed(one) && one.getAttribute("aria-current") === "true") ??
            buttons.find(isListed);
        for (const one of buttons)
            one.tabIndex = one === stop ? 0 : -1;
    }

    function onListKey(event) {
        const buttons = [...$("objects").querySelectorAll("li:not([hidden]) button")];
        const at = buttons.indexOf(document.activeElement);
        const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: buttons.length - 1 }[event.key];
        if (at < 0 || to === undefined || event.altKey || event.ctrlKey || event.metaKey)
            return;
        event.preventDefault();
        buttons[Math.min(Math.max(to, 0), buttons.length - 1)].focus();
    }

    function setUpDependencies() {
        $("why").hidden = objects.length === 0;
        $("objects").addEventListener("keydown", onListKey);
        for (const object of [...objects].sort((a, b) => a.name.localeCompare(b.name) || a.label.localeCompare(b.label))) {
            const item = element("li");
            const go = button(object.label, () => focusOn(object, false));
            go.dataset.index = object.index;
            item.append(go);
            $("objects").append(item);
            searched.push({
                words: [object.name, object.path, object.reason].join("\n").toLowerCase(),
                show: (is) => { item.hidden = !is; },
            });
        }
        searched.push({ words: "", show: chooseStop });
        const first = [...objects].sort((a, b) => b.users.length * !b.isRoot - a.users.length * !a.isRoot)
            .find((object) => object.users.length > 0 && object.users.length <= MANY && object.needs.length > 0) ?? objects[0];
        if (first !== undefined)
            focusOn(first, false);
        new ResizeObserver(drawEdges).observe($("focus"));
    }

    // ---- start ------------------------------------------------------------------------------

    const ROWS_AT_ONCE = 500;

    function readStart() {
        let sum = 0;
        return list(given, "start").map((one, index) => {
            const isRead = member(one, "read") === true;
            const bytes = isRead ? number(one, "bytes") : 0;
            sum += bytes;
            return { number: index + 1, path: text(one, "path"), part: partOf(text(one, "path")), isRead, bytes, sum };
        });
    }

    function drawChart(files, total) {
        const chart = drawing("svg", { viewBox: "0 0 1000 200", preserveAspectRatio: "none", role: "img",
            "aria-label": "Bytes read so far, by the number of the file" });
        const step = 1000 / files.length;
        const y = (sum) => 186 - (180 * sum) / (total || 1);
        let line = "M0 186";
        for (const quarter of [0.25, 0.5, 0.75, 1])
            chart.append(drawing("line", { x1: 0, x2: 1000, y1: y(quarter * total), y2: y(quarter * total) }));
        for (const file of files) {
            const band = drawing("rect", { x: (file.number - 1) * step, y: 188, width: step + 0.2, height: 12 });
            band.setAttribute("class", file.part);
            chart.append(band);
            line += `L${((file.number - 1) * step).toFixed(2)} ${y(file.sum).toFixed(2)}H${(file.number * step).toFixed(2)}`;
        }
        chart.append(drawing("path", { d: line }));
        $("chart").append(chart);
    }

    function timelineRow(file) {
        const row = element("tr");
        const name = element("th", "", file.path);
        name.scope = "row";
        row.append(element("td", "number", file.number), name, element("td", "", file.part),
            element("td", "number", file.isRead ? size(file.bytes) : "opened"), element("td", "number", size(file.sum)));
        return row;
    }

    function setUpStart() {
        const files = readStart();
        const total = files.length > 0 ? files[files.length - 1].sum : 0;
        const body = $("timeline").tBodies[0];
        $("start").hidden = files.length === 0;
        if (files.length === 0)
            return;
        $("start-text").textContent = "A watched start opens " + count(files.length, "file") + " of the image and reads " +
            size(total) + ": the line is what was read so far, the band below tells the part of each file.";
        drawChart(files, total);
        const seen = new Set();
        for (const first of files.filter((file) => !seen.has(file.part) && seen.add(file.part))) {
            const item = element("li");
            item.append(element("span", first.part), "no. " + first.number + ", after " + size(first.sum - first.bytes) +
                ": first of " + first.part + ", " + visible(first.path));
            $("milestones").append(item);
        }
        function show() {
            const found = files.filter((file) => isFound((file.path + "\n" + file.part).toLowerCase()));
            body.replaceChildren(...found.slice(0, ROWS_AT_ONCE).map(timelineRow));
            if (found.length > ROWS_AT_ONCE) {
                const row = element("tr");
                const cell = element("td");
                cell.colSpan = 5;
                cell.append(button("show " + (found.length - ROWS_AT_ONCE) + " more",
                    () => body.replaceChildren(...found.map(timelineRow))));
                row.append(cell);
                body.append(row);
            }
        }
        show();
        searched.push({ words: "", show });
    }

    // ---- licences ---------------------------------------------------------------------------

    function setUpLicences() {
        const groups = new Map();
        for (const [who, names] of licences) {
            const name = names.join("; ") || "not named";
            groups.set(name, [...(groups.get(name) ?? []), who.replace(/^\S+ /, "")]);
        }
        for (const gem of licences.size === 0 ? list(given, "gems") : []) {
            const name = licencesOf(gem, "gem", text(gem, "name")).join("; ");
            if (name !== "")
                groups.set(name, [...(groups.get(name) ?? []), text(gem, "name")]);
        }
        $("licences").hidden = groups.size === 0;
        document.querySelector('nav a[href="#licences"]').hidden = groups.size === 0;
        for (const [name, who] of [...groups].sort((a, b) => b[1].length - a[1].length)) {
            const group = element("div");
            group.append(element("h3", "", name + ": " + who.length), element("p", "", who.join(", ")));
            $("licence-list").append(group);
            searched.push({ words: (name + "\n" + who.join("\n")).toLowerCase(), show: (is) => { group.hidden = !is; } });
        }
    }

    // ---- light and dark ---------------------------------------------------------------------

    function setUpTheme() {
        const dark = matchMedia("(prefers-color-scheme: dark)");
        const root = document.documentElement;
        const isDark = () => (root.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";
        const tellTheme = () => { $("theme").textContent = isDark() ? "Light" : "Dark"; };
        $("theme").addEventListener("click", () => {
            root.dataset.theme = isDark() ? "light" : "dark";
            tellTheme();
        });
        dark.addEventListener("change", tellTheme);
        tellTheme();
    }

    $("tools").hidden = $("sections").hidden = false;
    setUpTheme();
    setUpTreemap();
    setUpTable();
    setUpDependencies();
    setUpStart();
    setUpLicences();
    for (const id of ["size", "why", "start"])
        document.querySelector(`nav a[href="#${id}"]`).hidden = $(id).hidden;
    $("search").addEventListener("input", search);
    document.addEventListener("keydown", (event) => {
        if (event.key === "/" && !(event.target instanceof HTMLInputElement)) {
            event.preventDefault();
            $("search").focus();
        }
    });
})();
