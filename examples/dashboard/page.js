'use strict';
/* Draws the page from the JSON in #data.  What stands there is data and never markup: texts become text nodes, and what a
   chart shows is drawn by ECharts as SVG text. */
(function () {
	const data = JSON.parse(document.getElementById('data').textContent);
	const capacity = data.capacity;
	const list = name => data[name] || [];

	// ----------------------------------------------------------------------------------------------------------------
	// Words and numbers
	// ----------------------------------------------------------------------------------------------------------------

	const number = new Intl.NumberFormat('en').format;
	const percent = (part, whole) => (whole ? number(Math.round(1000 * part / whole) / 10) : '0') + ' %';
	const plural = (count, one, many) => number(count) + ' ' + (count === 1 ? one : many);
	const when = new Intl.DateTimeFormat('en-GB', {dateStyle: 'medium', timeStyle: 'short'});
	const whenWithZone = new Intl.DateTimeFormat('en-GB', {
		day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit', timeZoneName: 'short'});
	// a day of the database is a day without a time zone
	const dayFormat = new Intl.DateTimeFormat('en-GB', {day: 'numeric', month: 'short', timeZone: 'UTC'});
	const monthFormat = new Intl.DateTimeFormat('en-GB', {month: 'short', year: 'numeric', timeZone: 'UTC'});
	const time = text => when.format(new Date(text));

	function span(seconds) {
		const steps = [['day', 86400], ['hour', 3600], ['minute', 60]];
		for (const [unit, size] of steps)
			if (seconds >= 2 * size || (seconds >= size && unit === 'minute'))
				return plural(Math.floor(seconds / size), unit, unit + 's');
		return 'less than a minute';
	}

	// make('p', {class: 'note'}, 'text', child, ...)
	function make(name, attributes, ...children) {
		const element = document.createElement(name);
		for (const [key, value] of Object.entries(attributes || {}))
			element.setAttribute(key, value);
		element.append(...children.filter(child => child !== null && child !== undefined));
		return element;
	}

	const card = id => document.getElementById(id);
	const note = (id, text) => card(id).append(make('p', {class: 'note'}, text));

	// ----------------------------------------------------------------------------------------------------------------
	// Colours are those of the style sheet, so that there is one place for light, dark and paper
	// ----------------------------------------------------------------------------------------------------------------

	const colour = name => getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
	const STATES = [
		{key: 'in_use_count', name: 'in use', mark: 'in-use'},
		{key: 'idle_count', name: 'idle', mark: 'idle'},
		{key: 'pool_without_user_count', name: 'in a pool, no subuser', mark: 'pooled'},
		{key: 'free_count', name: 'free', mark: 'free'},
	];

	function legend(series, sums) {
		return make('ul', {class: 'legend'}, ...series.map(one => {
			const item = make('li', {}, one.name + ' ', make('b', {}, number(sums(one))));
			item.style.setProperty('--mark', `var(--${one.mark})`);
			return item;
		}));
	}

	// ----------------------------------------------------------------------------------------------------------------
	// Tables
	// ----------------------------------------------------------------------------------------------------------------

	// columns: {name, value(row), kind: 'number' or 'fixed'}, of which numbers may have a sum; at first so many rows.  On a
	// phone a row becomes lines, in which names stand before the values of those columns that say so
	function table(columns, rows, limit) {
		const cell = (column, value) => make('td', {...(column.kind ? {class: column.kind} : {}), ...(column.before ? {'data-before': column.before} : {})},
			typeof value === 'number' ? number(value) : value || '');
		const body = make('tbody');
		const add = some => body.append(...some.map(row => make('tr', {}, ...columns.map(column => cell(column, column.value(row))))));
		const whole = make('table', {class: columns.some(column => column.before) ? 'list stack' : 'list'},
			make('thead', {}, make('tr', {}, ...columns.map(column => make('th', {scope: 'col', ...(column.kind ? {class: column.kind} : {})}, column.name)))), body);
		if (columns.some(column => column.sum))
			whole.append(make('tfoot', {}, make('tr', {}, ...columns.map((column, n) => cell({kind: column.kind}, n ? column.sum && column.sum(rows) : 'all')))));
		add(rows.slice(0, limit));
		const box = make('div', {}, make('div', {class: 'scroll'}, whole));
		if (rows.length > limit) {
			const button = make('button', {type: 'button'}, `Show all ${number(rows.length)}`);
			button.addEventListener('click', () => { add(rows.slice(limit)); button.remove(); });
			box.append(button);
		}
		return box;
	}

	// ----------------------------------------------------------------------------------------------------------------
	// Charts
	// ----------------------------------------------------------------------------------------------------------------

	const charts = [];

	// A stacked bar chart; draw() is called again when colours or widths change.
	// spec: {name, categories, series: [{name, mark, values}], horizontal, height, tip(index) -> [title, lines]}
	function chart(id, spec) {
		const element = make('div', {class: 'chart', role: 'img', 'aria-label': spec.name});
		element.style.height = spec.height + 'px';
		card(id).append(element);
		const one = {element, spec, instance: echarts.init(element, null, {renderer: 'svg'})};
		charts.push(one);
		draw(one);
	}

	function tip(spec, index) {
		const total = spec.series.reduce((sum, one) => sum + one.values[index], 0);
		const row = (name, value, mark) => {
			const cell = make('td', {});
			if (mark) {
				const dot = make('i');
				dot.style.background = colour(mark);
				cell.append(dot);
			}
			cell.append(name);
			return make('tr', {}, cell, make('td', {}, value));
		};
		const rows = spec.series.filter(one => one.values[index]).map(one =>
			row(one.name, `${number(one.values[index])}  (${percent(one.values[index], total)})`, one.mark));
		return make('div', {class: 'tip'}, make('strong', {}, spec.titles ? spec.titles[index] : spec.categories[index]),
			make('table', {}, make('tbody', {}, row('IPs', number(total)), ...rows, ...(spec.more ? spec.more(index).map(([name, value]) => row(name, value)) : []))));
	}

	function draw(one) {
		const spec = one.spec;
		const category = {
			type: 'category', data: spec.categories, inverse: Boolean(spec.horizontal), axisTick: {show: false},
			axisLine: {lineStyle: {color: colour('line')}},
			axisLabel: {color: colour('text'), hideOverlap: true, ...(spec.horizontal ? {width: innerWidth < 500 ? 116 : 150, overflow: 'truncate', interval: 0} : {})},
		};
		const value = {
			type: 'value', minInterval: 1, splitNumber: 4, ...(spec.full ? {max: spec.full, interval: spec.full / 4} : {}), splitLine: {lineStyle: {color: colour('grid')}},
			axisLabel: {color: colour('soft'), hideOverlap: true, formatter: number},
		};
		const ends = spec.categories.map((_, index) => spec.series.reduce((last, series, n) => series.values[index] ? n : last, -1));
		one.instance.setOption({
			animation: false,
			textStyle: {fontFamily: 'system-ui, "Segoe UI", Roboto, Arial, "Noto Sans", "DejaVu Sans", sans-serif'},
			grid: {left: 2, right: 18, top: 6, bottom: 2, containLabel: true},
			xAxis: spec.horizontal ? value : category,
			yAxis: spec.horizontal ? category : value,
			tooltip: {
				trigger: 'axis', axisPointer: {type: 'shadow', shadowStyle: {color: colour('soft'), opacity: .1}}, confine: true,
				backgroundColor: colour('card'), borderColor: colour('line'), padding: 10,
				formatter: points => tip(spec, points[0].dataIndex),
			},
			series: spec.series.map((series, n) => ({
				type: 'bar', name: series.name, stack: 'all', barMaxWidth: spec.horizontal ? 16 : 36, barMinWidth: 2,
				itemStyle: {color: colour(series.mark), borderColor: colour('card'), borderWidth: .75},
				emphasis: {disabled: true},
				data: series.values.map((value, index) => ({value, itemStyle: ends[index] === n
					? {borderRadius: spec.horizontal ? [0, 3, 3, 0] : [3, 3, 0, 0]} : {}})),
			})),
		});
	}

	function redraw(width) {
		for (const one of charts) {
			one.instance.resize({width: width || 'auto'});
			draw(one);
		}
	}

	const rowsHeight = count => 34 + 24 * count;

	// ----------------------------------------------------------------------------------------------------------------
	// The parts of the page
	// ----------------------------------------------------------------------------------------------------------------

	function head() {
		document.title = data.title;
		card('title').append(data.title);
		card('made').append(`Page of ${whenWithZone.format(new Date(data.made_at))}.`);
		tellAge();
		setInterval(tellAge, 30000);
	}

	function tellAge() {
		const seconds = (Date.now() - new Date(capacity.as_of)) / 1000;
		card('age').textContent = `Data of ${whenWithZone.format(new Date(capacity.as_of))}, ${span(seconds)} old`;
		card('age').className = 'pill' + (seconds > 7 * 86400 ? ' bad' : seconds > 86400 ? ' warn' : '');
	}

	function figures() {
		const all = capacity.ip_count;
		const offer = capacity.can_be_added === null ? null
			: `this ${capacity.period}` + (capacity.price_per_ip === null ? '' : `, ${number(capacity.price_per_ip)} each`);
		const shown = [
			['ip_count', all, 'IPs', null],
			...STATES.map(state => [state.key, capacity[state.key], state.name, percent(capacity[state.key], all)]),
			['available_count', capacity.available_count, 'may be handed out', 'free or idle'],
			['warming_up_count', capacity.warming_up_count, 'warming up', percent(capacity.warming_up_count, all)],
			['missing_count', data.missing_count, 'without valid reverse DNS', 'of those in use or in a pool'],
			['can_be_added', capacity.can_be_added, 'can be added', offer],
		];
		card('figures').append(...shown.filter(([, value]) => value !== null).map(([key, value, name, of]) =>
			make('div', {class: 'figure ' + key, 'data-key': key, 'data-value': value}, make('b', {}, number(value)), make('span', {}, name),
				of === null ? null : make('span', {class: 'of'}, of))));
		const strip = card('strip');
		strip.setAttribute('aria-label', STATES.map(state => `${state.name} ${number(capacity[state.key])}`).join(', '));
		for (const state of STATES.filter(state => capacity[state.key])) {
			const part = make('i', {title: `${state.name}: ${number(capacity[state.key])}, ${percent(capacity[state.key], all)}`});
			part.style.cssText = `flex: ${capacity[state.key]} 0 0; background: var(--${state.mark})`;
			strip.append(part);
		}
	}

	// Networks of another size, as sums of those of 256 addresses
	function wider(rows, octets) {
		const sums = new Map();
		for (const row of rows) {
			const name = row.network.split('.').slice(0, octets).concat(['0', '0', '0']).slice(0, 4).join('.') + '/' + 8 * octets;
			const sum = sums.get(name) || {network: name, ip_count: 0, in_use_count: 0, idle_count: 0, pool_without_user_count: 0, free_count: 0};
			for (const key of Object.keys(sum).slice(1))
				sum[key] += row[key];
			sums.set(name, sum);
		}
		return [...sums.values()];
	}

	// No more bars than can be read: with many networks those of /16 or /8, so that they still add up
	function networks() {
		const rows = list('networks'), most = 32;
		if (!rows.length)
			return note('networks', 'There is none.');
		let bars = rows;
		for (const octets of [2, 1])
			if (bars.length > most)
				bars = wider(rows, octets);
		note('networks', `${plural(rows.length, 'network', 'networks')} of 256 addresses` + (bars === rows ? '' : ', added up'));
		card('networks').append(legend(STATES, state => rows.reduce((sum, row) => sum + row[state.key], 0)));
		chart('networks', {
			name: 'IPs of each network by state', categories: bars.map(row => row.network), horizontal: true, height: rowsHeight(bars.length),
			full: bars === rows && bars.some(row => row.ip_count > 128) ? 256 : 0,
			series: STATES.map(state => ({name: state.name, mark: state.mark, values: bars.map(row => row[state.key])})),
		});
		card('networks').append(make('details', {}, make('summary', {}, 'As a table'), table([
			{name: 'network', value: row => row.network, kind: 'fixed'},
			...[{key: 'ip_count', name: 'IPs'}, ...STATES].map(({key, name}) => ({
				name, value: row => row[key], kind: 'number', sum: all => all.reduce((sum, row) => sum + row[key], 0)})),
			{name: '% in use', value: row => percent(row.in_use_count, row.ip_count), kind: 'number',
				sum: () => percent(capacity.in_use_count, capacity.ip_count)},
		], rows, 100)));
	}

	function pools() {
		const rows = list('pools'), most = 20;
		if (!rows.length)
			return note('pools', 'There is none.');
		const series = [{key: 'used_count', name: 'with a subuser', mark: 'strong'}, {key: 'unused_count', name: 'without', mark: 'weak'}];
		const bars = rows.slice(0, most);
		note('pools', plural(rows.length, 'pool', 'pools') + (rows.length > most ? `, the ${most} largest` : '') + '; an IP may be in several');
		card('pools').append(legend(series, one => bars.reduce((sum, row) => sum + row[one.key], 0)));
		chart('pools', {
			name: 'IPs of each pool', categories: bars.map(row => row.pool), horizontal: true, height: rowsHeight(bars.length),
			series: series.map(one => ({name: one.name, mark: one.mark, values: bars.map(row => row[one.key])})),
			more: index => [['warming up', number(bars[index].warming_up_count)]],
		});
	}

	function subusers() {
		const rows = list('subusers');
		if (!rows.length)
			return note('subusers', 'None has an IP.');
		const series = [
			{name: 'alone', mark: 'strong', values: rows.map(row => row.ip_count - row.shared_ip_count)},
			{name: 'shared with others', mark: 'weak', values: rows.map(row => row.shared_ip_count)},
		];
		note('subusers', `${number(rows.length)} of ${number(data.subuser_count)}`);
		card('subusers').append(legend(series, one => one.values.reduce((sum, value) => sum + value, 0)));
		chart('subusers', {
			name: 'IPs of subusers', categories: rows.map(row => row.subuser), horizontal: true, height: rowsHeight(rows.length), series,
			more: index => [['state', rows[index].is_active ? 'active' : 'disabled']],
		});
	}

	// Days, weeks, months or years, so that there are not too many bars; those without an IP are bars, too
	function warming() {
		const rows = list('warming').filter(row => row.day !== null).map(row => ({at: new Date(row.day + 'T00:00Z'), count: row.ip_count}));
		if (!capacity.warming_up_count)
			return note('warming', 'No IP is warming up.');
		if (!rows.length)
			return note('warming', `${plural(capacity.warming_up_count, 'IP', 'IPs')}, since when is not known`);
		const DAY = 86400000, first = rows[0].at, last = rows[rows.length - 1].at, days = (last - first) / DAY;
		const unit = days <= 31 ? 'day' : days <= 182 ? 'week' : days <= 1096 ? 'month' : 'year';
		const start = at => new Date(unit === 'day' ? at : unit === 'week' ? at - (at.getUTCDay() + 6) % 7 * DAY
			: Date.UTC(at.getUTCFullYear(), unit === 'month' ? at.getUTCMonth() : 0, 1));
		const next = at => new Date(unit === 'day' ? +at + DAY : unit === 'week' ? +at + 7 * DAY
			: unit === 'month' ? Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1, 1) : Date.UTC(at.getUTCFullYear() + 1, 0, 1));
		const label = at => unit === 'year' ? String(at.getUTCFullYear()) : (unit === 'month' ? monthFormat : dayFormat).format(at);
		const bins = new Map();
		for (let at = start(first); at <= last; at = next(at))
			bins.set(+at, 0);
		for (const row of rows)
			bins.set(+start(row.at), bins.get(+start(row.at)) + row.count);
		note('warming', `${plural(capacity.warming_up_count, 'IP', 'IPs')}, by the ${unit} in which it began`);
		const labels = [...bins.keys()].map(at => label(new Date(at)));
		chart('warming', {
			name: 'IPs that are warming up', categories: labels, height: 230,
			titles: labels.map(text => unit === 'week' ? `week of ${text}` : text),
			series: [{name: 'warming up', mark: 'strong', values: [...bins.values()]}],
		});
	}

	function changes() {
		if (!data.has_history)
			return note('changes', 'There is no history: examples/history.sql makes one.');
		const KINDS = [{key: 'granted', mark: 'in-use'}, {key: 'moved', mark: 'idle'}, {key: 'freed', mark: 'free'}];
		const looked = data.looks.first === null ? 'nobody has looked yet' : `last look ${time(data.looks.last)}`;
		if (!data.change_count)
			return note('changes', `None in ${plural(data.days, 'day', 'days')}; ${looked}` + (data.looks.first === null ? '' : `, first ${time(data.looks.first)}`));
		const day = at => new Date(at).toISOString().slice(0, 10);
		const begin = Math.max(new Date(data.looks.first), new Date(data.made_at) - data.days * 86400000);
		// days are the database's, which may begin them at another time than UTC
		const all = [...new Set([...list('change_days').map(row => row.day),
			...Array.from({length: Math.max(1, Math.ceil((new Date(data.looks.last) - begin) / 86400000))}, (_, n) => day(begin + n * 86400000)),
			day(data.looks.last)])].sort();
		const count = (day, kind) => list('change_days').filter(row => row.day === day && row.change === kind).reduce((sum, row) => sum + row.ip_count, 0);
		const series = KINDS.map(kind => ({name: kind.key, mark: kind.mark, values: all.map(day => count(day, kind.key))}));
		note('changes', `${plural(data.change_count, 'IP', 'IPs')} in ${plural(data.days, 'day', 'days')}; ${looked}`);
		card('changes').append(legend(series, one => one.values.reduce((sum, value) => sum + value, 0)));
		chart('changes', {
			name: 'IPs that changed hands', categories: all.map(day => dayFormat.format(new Date(day + 'T00:00Z'))), height: 150, series,
		});
		card('changes').append(table([
			{name: 'seen', value: row => time(row.seen_at), kind: 'fixed'},
			{name: 'IP', value: row => row.ip_address, kind: 'fixed'},
			{name: 'change', value: row => row.change, kind: 'fixed'},
			{name: 'from', value: row => row.from_users, before: 'from '},
			{name: 'to', value: row => row.to_users, before: 'to '},
		], list('changes'), 8));
		if (data.change_count > list('changes').length)
			card('changes').append(make('p', {class: 'note'}, `The last ${number(list('changes').length)} are here.`));
	}

	function missing() {
		const rows = list('missing');
		note('missing', data.missing_count ? `${plural(data.missing_count, 'IP', 'IPs')} in use or in a pool`
			+ (rows.length < data.missing_count ? `, of which ${number(rows.length)} are here` : '') : 'There is none.');
		if (rows.length)
			card('missing').append(table([
				{name: 'IP', value: row => row.ip_address, kind: 'fixed'},
				{name: 'subusers', value: row => row.subusers, before: 'of '},
				{name: 'name that is not valid', value: row => row.invalid_name, before: 'not valid: '},
			], rows, 10));
	}

	head();
	figures();
	for (const part of [networks, pools, subusers, warming, changes, missing])
		part();

	// ----------------------------------------------------------------------------------------------------------------
	// Other colours, other widths, paper
	// ----------------------------------------------------------------------------------------------------------------

	matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => redraw());
	let width = innerWidth;
	addEventListener('resize', () => {
		if (width !== innerWidth && !document.documentElement.hasAttribute('data-print')) {
			width = innerWidth;
			redraw();
		}
	});
	addEventListener('beforeprint', () => {
		document.documentElement.setAttribute('data-print', '');
		redraw(640);
	});
	addEventListener('afterprint', () => {
		document.documentElement.removeAttribute('data-print');
		redraw();
	});
}());
