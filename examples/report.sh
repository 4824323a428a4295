#!/bin/bash
#
# Prints reports of SendGrid's IPs, writes them into a file, or mails them: for cron.
#
#	examples/report.sh [-f html|csv] [-s SCHEMA] [-t TITLE] [-o FILE | -m ADDRESS [-r ADDRESS]] [VIEW...]
#
#	-f	html (default): one page with a table for each view; csv: one view, or by mail an attachment for each
#	-s	the schema of the views; default ip_report, which examples/views_v3.sql makes
#	-t	title of the page, subject of the mail
#	-o	the file; it is replaced when the new one is complete
#	-m	who gets it, more than one separated by commas; -r: who sends it
#
# psql finds the database by PGHOST, PGDATABASE, PGUSER, PGSERVICE and so on.  All views are read in one transaction.  If one
# cannot be read, nothing is printed, written or sent, the error is on standard error and the exit status is not 0.
# Mails are sent by $SENDMAIL, which takes the options -t and -i; default sendmail, else msmtp.

set -euo pipefail

die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

format=html schema=ip_report title='SendGrid IPs' file= to= from=
while getopts f:s:t:o:m:r:h option; do
	case $option in
		f) format=$OPTARG ;;
		s) schema=$OPTARG ;;
		t) title=$OPTARG ;;
		o) file=$OPTARG ;;
		m) to=$OPTARG ;;
		r) from=$OPTARG ;;
		h) sed -n '3,/^$/s/^#[ \t]\{0,1\}//p' "$0"; exit 0 ;;
		*) die "see -h" ;;
	esac
done
shift $((OPTIND - 1))
views=("$@")
[ $# -gt 0 ] || views=(capacity network_utilisation pool_overview subuser_ips warming_up reverse_dns_missing)
case $format in html | csv) ;; *) die "-f is html or csv" ;; esac
[ -z "$file" ] || [ -z "$to" ] || die "-o and -m exclude each other"
[ "$format" = html ] || [ -n "$to" ] || [ ${#views[@]} = 1 ] || die "-f csv takes one view, unless it is mailed"
case $title$to$from in *[$'\r\n']*) die "a title or address has one line" ;; esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The script for psql; names are variables, so that they need no quoting here
{
	echo "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
	for n in "${!views[@]}"; do
		echo "SELECT coalesce(obj_description(format('%I.%I', :'schema', :'view$n')::regclass, 'pg_class'), :'view$n') AS title \\gset"
		[ "$format" = csv ] || echo "\\pset title :title"
		echo "\\o :work/$n"
		echo "TABLE :\"schema\".:\"view$n\";"
		echo "\\o"
	done
	echo "COMMIT;"
} >"$work/script"
options=(-X -q -v ON_ERROR_STOP=1 -v work="$work" -v schema="$schema")
for n in "${!views[@]}"; do options+=(-v "view$n=${views[n]}"); done
case $format in
	html) options+=(-H -P footer=off -P border=0) ;;
	csv) options+=(--csv) ;;
esac
PGCLIENTENCODING=UTF8 psql "${options[@]}" -f "$work/script" >&2

escape() { sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g' <<<"$1"; }

if [ "$format" = html ]; then
	{
		cat <<-END
			<!DOCTYPE html>
			<html lang="en">
			<head>
			<meta charset="utf-8">
			<meta name="viewport" content="width=device-width">
			<title>$(escape "$title")</title>
			<style>
			body { font: 14px/1.4 system-ui, sans-serif; margin: 2em auto; max-width: 70em; padding: 0 1em; color: #1f2933 }
			h1 { font-size: 1.5em }
			table { border-collapse: collapse; margin: 2em 0 }
			caption { text-align: left; font-weight: 600; padding-bottom: .5em }
			th, td { padding: .3em .8em; border-bottom: 1px solid #d8dee4; vertical-align: top }
			th { text-align: left; background: #f3f5f7 }
			td[align=right] { font-variant-numeric: tabular-nums; white-space: nowrap }
			</style>
			</head>
			<body>
			<h1>$(escape "$title")</h1>
		END
		# a cell of a view cannot begin like that: psql writes its < as &lt;
		for n in "${!views[@]}"; do sed '/^    <th /s/_/ /g' "$work/$n"; done
		printf '</body>\n</html>\n'
	} >"$work/report"
elif [ -z "$to" ]; then
	mv "$work/0" "$work/report"
fi

# A header's value; beyond ASCII it is encoded
header() {
	case $2 in
		*[!\ -~]*) printf '%s: =?UTF-8?B?%s?=\n' "$1" "$(printf %s "$2" | base64 -w 0)" ;;
		*) printf '%s: %s\n' "$1" "$2" ;;
	esac
}

if [ -n "$to" ]; then
	{
		[ -z "$from" ] || printf 'From: %s\n' "$from"
		printf 'To: %s\n' "$to"
		header Subject "$title"
		printf 'MIME-Version: 1.0\n'
		if [ "$format" = html ]; then
			printf 'Content-Type: text/html; charset=UTF-8\nContent-Transfer-Encoding: base64\n\n'
			base64 "$work/report"
		else
			# base64 has no such line
			printf 'Content-Type: multipart/mixed; boundary="--report--"\n'
			for n in "${!views[@]}"; do
				printf '\n----report--\nContent-Type: text/csv; charset=UTF-8\nContent-Transfer-Encoding: base64\n'
				printf 'Content-Disposition: attachment; filename="%s.csv"\n\n' "${views[n]//[^A-Za-z0-9_.-]/_}"
				base64 "$work/$n"
			done
			printf '\n----report----\n'
		fi
	} >"$work/mail"
	if [ -z "${SENDMAIL:-}" ]; then
		SENDMAIL=$(PATH=$PATH:/usr/sbin command -v sendmail || command -v msmtp) || die "neither sendmail nor msmtp is installed"
	fi
	$SENDMAIL -t -i <"$work/mail"
elif [ -n "$file" ]; then
	cp "$work/report" "$file.new"
	mv "$file.new" "$file"
else
	cat "$work/report"
fi
