"""Section 11 of bench/run: what planning costs over partitions, beside ordinary tables."""

from accounts import planning_ms
from harness import Session, median, number, ratio, rounds

MOST = 10000
RUN_TIME = "username = current_setting('app.customer')"
OPTIONAL = f"(coalesce(current_setting('app.customer', true), '') = '' OR {RUN_TIME})"


def make_partitions(bench, server):
    """As many foreign tables as partitions of one table, and as many ordinary ones of another, on two levels: one would take long to make."""
    for kind in ('sgip', 'plain'):
        bench.admin.run(f'CREATE TABLE planned_{kind} (nr int, ip inet, username text) PARTITION BY RANGE (nr)')
        for low in range(1, MOST, 250):
            bench.admin.run(f'CREATE TABLE planned_{kind}_from_{low} PARTITION OF planned_{kind} FOR VALUES FROM ({low}) TO ({low + 250}) PARTITION BY LIST (nr)')
    for low in range(1, MOST, 250):
        bench.admin.run(f"""DO $$ BEGIN
            FOR n IN {low}..{low + 249} LOOP
                EXECUTE format('CREATE FOREIGN TABLE planned_sgip_%1$s PARTITION OF planned_sgip_from_{low} FOR VALUES IN (%1$s)
                    SERVER {server} OPTIONS (task ''usage'')', n);
                EXECUTE format('ALTER FOREIGN TABLE planned_sgip_%1$s ALTER nr OPTIONS (constant %1$L)', n);
                EXECUTE format('CREATE TABLE planned_plain_%1$s PARTITION OF planned_plain_from_{low} FOR VALUES IN (%1$s)', n);
            END LOOP;
        END $$""")


def section_11(bench):
    report = bench.report
    report.heading('11  Planning over partitions')
    make_partitions(bench, bench.server(f'{bench.emulator}/api'))
    names = ', '.join(f"'u{n}'" for n in range(10000))
    cases = [(count, 'a value known at run time', RUN_TIME) for count in (800, 2000, 10000)]
    cases += [(2000, 'an optional argument', OPTIONAL), (4000, 'no other condition', 'true'),
              (300, 'a list of 10,000 values', f'username IN ({names})')]
    lines, times = [], {}
    for count, what, condition in cases:
        # the others are pruned
        query = f'SELECT * FROM planned_{{}} WHERE nr <= {count} AND {condition}'
        sessions = {kind: Session("SET app.customer = 'acme-9'") for kind in ('sgip', 'plain')}
        runners = {kind: lambda kind=kind: planning_ms(sessions[kind], query.format(kind)) for kind in sessions}
        for runner in runners.values():
            runner()                            # the session's caches are warm from now on
        figures = rounds(5, runners)
        for session in sessions.values():
            session.close()
        times[count, what] = figures
        lines.append((f'{count:,} partitions, {what}', median(figures['sgip']), median(figures['plain']), ratio(figures['sgip'], figures['plain'])))
    report.table(('planning', 'foreign, ms', 'ordinary, ms', '×'), lines)
    for count, what, _ in cases:
        limit = 1.5 if what.startswith('a list') else 3
        report.goal('11', f'{count:,} partitions, {what}: × ordinary ones', ratio(*(times[count, what][kind] for kind in ('sgip', 'plain'))), limit)
    many, fewer = (times[count, 'a value known at run time'] for count in (10000, 2000))
    report.goal('11', '10,000 partitions, × the time of 2,000', ratio(many['sgip'], fewer['sgip']), 5)
    report.note(f"Ordinary ones take {number(ratio(many['plain'], fewer['plain']))} × the time of 2,000. "
                f"A foreign one takes {number(median(many['sgip']) / 10)} µs of planning among 10,000.")
