#!/usr/bin/env python3
"""Checks a META.json against the PGXN Meta Spec, offline.

    check_meta.py [FILE]        prints what is wrong, one line for each; status 1 if something is

The specification is version 1.0.0, https://pgxn.org/spec/ (its text has the number 1.0.2).  Checked are the keys that
are required and allowed, the type of each value, and that files it names exist.  Whether name and version are free on
PGXN only its server can say.
"""

import json
import os
import re
import sys

LICENSES = set('''agpl_3 apache_1_1 apache_2_0 artistic_1 artistic_2 bsd freebsd gfdl_1_2 gfdl_1_3 gpl_1 gpl_2 gpl_3
    lgpl_2_1 lgpl_3_0 mit mozilla_1_0 mozilla_1_1 openssl perl_5 postgresql qpl_1_0 ssleay sun zlib
    open_source restricted unrestricted unknown'''.split())
PHASES = {'configure', 'build', 'test', 'runtime', 'develop'}
RELATIONS = {'requires', 'recommends', 'suggests', 'conflicts'}
NUMBER = r'(0|[1-9][0-9]*)'
VERSION = rf'{NUMBER}\.{NUMBER}\.{NUMBER}(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?'
RANGE = rf'((<|<=|>|>=|==|!=) *)?({VERSION}|0)'


class Invalid(Exception):
    """What is wrong with a value."""


def need(condition, text):
    if not condition:
        raise Invalid(text)


# ---------------------------------------------------------------------------------------------------------------
# Types: functions that raise Invalid for a value that is not of the type
# ---------------------------------------------------------------------------------------------------------------

def string(value):
    need(isinstance(value, str) and value != '', 'is no string, or an empty one')


def term(value):
    string(value)
    need(len(value) >= 2 and not re.search(r'[\s/\\\x00-\x1f\x7f]', value),
         'is no term: two characters at least, no slash, backslash, space or control character')


def tag(value):
    string(value)
    need(len(value) < 256 and not re.search(r'[/\\\x00-\x1f\x7f]', value),
         'is no tag: less than 256 characters, no slash, backslash or control character')


def version(value):
    string(value)
    need(re.fullmatch(VERSION, value), 'is no semantic version such as 1.2.3')


def version_range(value):
    if value != 0:
        string(value)
        need(all(re.fullmatch(RANGE, part.strip()) for part in value.split(',')), 'is no range of versions')


def uri(value):
    string(value)
    need(re.fullmatch(r'[A-Za-z][A-Za-z0-9+.-]*://[^/?#\s]+\S*', value), 'is no URI')


def email(value):
    string(value)
    need('@' in value, 'is no e-mail address')


def path(value):
    string(value)
    need(not value.startswith('/') and '\\' not in value and '..' not in value.split('/'), 'is no relative path')


def lower_case(value):
    string(value)
    need(value == value.lower(), 'is not in lower case')


def license_name(value):
    need(value in LICENSES, 'is no licence that the specification lists')


def anything(_):
    pass


def one_of(*values):
    def check(value):
        need(value in values, 'is none of ' + ', '.join(values))
    return check


def list_of(check):
    """One or more; a string stands for a list of one."""
    def check_list(value):
        items = [value] if isinstance(value, str) else value
        need(isinstance(items, list) and items, 'is no list, or an empty one')
        for number, item in enumerate(items):
            try:
                check(item)
            except Invalid as wrong:
                raise Invalid(f'[{number}] {wrong}') from None
    return check_list


def map_of(check_key, check_value):
    """Any keys of a type, with values of a type."""
    def check_map(value):
        need(isinstance(value, dict) and value, 'is no map, or an empty one')
        for key, item in value.items():
            try:
                check_key(key)
                check_value(item)
            except Invalid as wrong:
                raise Invalid(f'.{key} {wrong}') from None
    return check_map


def keys(required, optional):
    """These keys, and custom ones, which begin with x_."""
    def check_keys(value):
        need(isinstance(value, dict), 'is no map')
        for key in required:
            need(key in value, f'lacks {key}')
        for key, item in value.items():
            check = required.get(key) or optional.get(key)
            need(check or re.match('[xX]_', key), f'has the unknown key {key}')
            try:
                (check or anything)(item)
            except Invalid as wrong:
                raise Invalid(f'.{key} {wrong}') from None
    return check_keys


def license_or_map(value):
    (map_of(string, uri) if isinstance(value, dict) else list_of(license_name))(value)


SPECIFICATION = keys(
    required={
        'abstract': string,
        'maintainer': list_of(string),
        'license': license_or_map,
        'provides': map_of(term, keys({'file': path, 'version': version}, {'abstract': string, 'docfile': path})),
        'meta-spec': keys({'version': one_of('1.0.0')}, {'url': uri}),
        'name': term,
        'version': version,
    },
    optional={
        'description': string,
        'generated_by': string,
        'tags': list_of(tag),
        'no_index': keys({}, {'file': list_of(path), 'directory': list_of(path)}),
        'prereqs': map_of(one_of(*PHASES), map_of(one_of(*RELATIONS), map_of(term, version_range))),
        'release_status': one_of('stable', 'testing', 'unstable'),
        'resources': keys({}, {
            'homepage': uri,
            'bugtracker': keys({}, {'web': uri, 'mailto': email}),
            'repository': keys({}, {'url': uri, 'web': uri, 'type': lower_case}),
        }),
    })


def problems(meta, directory):
    """What is wrong with the structure, as lines; files are looked for in the directory."""
    try:
        SPECIFICATION(meta)
    except Invalid as wrong:
        return [f'META.json{"" if str(wrong).startswith(".") else " "}{wrong}']
    return [f'META.json.provides.{name}.{key} names {item[key]}, which is not there'
            for name, item in meta['provides'].items() for key in ('file', 'docfile')
            if key in item and not os.path.isfile(os.path.join(directory, item[key]))]


def main():
    file = sys.argv[1] if len(sys.argv) > 1 else 'META.json'
    with open(file, encoding='utf-8') as stream:
        found = problems(json.load(stream), os.path.dirname(os.path.abspath(file)))
    print('\n'.join(found) or f'{file} is valid')
    sys.exit(1 if found else 0)


if __name__ == '__main__':
    main()
