import re
import time

import pytest

from keepwall.formats.helm import Chart, render_chart
from keepwall.formats.helm_render import Renderer
from keepwall.formats.helm_syntax import parse_template
from keepwall.formats.helm_values import MARK, Budget, ExhaustedError
from keepwall.vocabulary.errors import FormatError

CHART = Chart("llm", "1.0.0", "2.0", library=False, dependencies=())


def render(text, values=None, **more):
    template = parse_template(text)
    renderer = Renderer(template.defined, **more)
    root = {"Values": values or {}, "Chart": {"Name": "llm"}, "Release": {"Name": "r"}}
    return str(renderer.render(template.nodes, root)), renderer.problems.found


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("{{ .Values.a }}-{{.Values.b.c}}", {"a": 1, "b": {"c": True}}, "1-true"),
        ("{{ .Values.gone }}|", {}, "|"),
        ("{{ .Values.tag | default .Chart.Name | quote }}", {}, '"llm"'),
        ('{{ printf "%s:%d-%05.1f|%-4s|%q%%" "a" 3 2.5 "b" "c" }}', {}, 'a:3-002.5|b   |"c"%'),
        ("a\n  {{- /* note */ -}}\n  b", {}, "ab"),
        ("{{ if and .Values.a (not .Values.b) }}x{{ else if .Values.b }}y{{ else }}z{{ end }}",
         {"a": [], "b": {"c": 1}}, "y"),
        ("{{ with .Values.a }}{{ .b }}{{ $.Chart.Name }}{{ else }}-{{ end }}", {"a": {"b": 1}}, "1llm"),
        ("{{ range $i, $e := .Values.l }}{{ $i }}{{ $e }},{{ else }}none{{ end }}",
         {"l": ["a", "b"]}, "0a,1b,"),
        ("{{ range .Values.m }}{{ . }}{{ if eq . 2 }}{{ break }}{{ end }}{{ end }}",
         {"m": {"b": 2, "a": 1, "c": 3}}, "12"),
        ("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ $y := 3 }}{{ end }}{{ $x }}", {}, "2"),
        ('{{ define "n" }}<{{ . }}>{{ end }}{{ include "n" .Values.a | upper }}{{ template "n" 1 }}',
         {"a": "x"}, "<X><1>"),
        ("a:\n  {{- toYaml .Values.a | nindent 2 }}", {"a": {"z": [1, "on"], "b": None}},
         "a:\n  b: null\n  z:\n  - 1\n  - 'on'"),
        ("{{ tpl .Values.t . }}", {"t": "{{ .Values.u }}", "u": "deep"}, "deep"),
        ('{{ trunc 3 "abcdef" | trimSuffix "c" }}{{ contains "b" "abc" }}', {}, "abtrue"),
        ('{{ (index .Values.l 1).x }}{{ ternary "y" "n" (hasKey .Values "l") }}',
         {"l": [{}, {"x": 7}]}, "7y"),
        ('{{ merge (dict "a" 1) (dict "a" 2 "b" 3) | toJson }}', {}, '{"a":1,"b":3}'),
        ('{{ mergeOverwrite (dict "a" 1) (dict "a" 2) | toJson }}', {}, '{"a":2}'),
        ('{{ if semverCompare ">=1.19-0 <2" "v1.30.1" }}new{{ end }}', {}, "new"),
        ('{{ regexReplaceAll "[^a-z]+" "a1b2" "-" }}{{ `raw\n` | trim }}', {}, "a-b-raw"),
        ('{{ list 1 2 | join "," }}{{ len (until 4) }}{{ add 1 2 (mul 2 3) }}', {}, "1,249"),
        ('{{ (lookup "v1" "Secret" "" "").data | default "none" }}', {}, "none"),
        ('{{ dig "a" "b" "no" (dict "a" (dict "b" 5)) }}{{ coalesce nil "" 6 }}', {}, "56"),
    ],
)  # fmt: skip
def test_what_templates_render_to(text, values, expected):
    assert render(text, values) == (expected, [])


def test_what_cannot_be_known_is_a_mark_and_never_guessed():
    text, problems = render('p: {{ randAlphaNum 9 | b64enc | quote }}\nq: {{ .Files.Get "x" }}')
    assert text == f'p: "{MARK}"\nq: {MARK}'
    assert problems == [(2, "asks for .Get of nothing")]
    text, problems = render("{{ if randAlphaNum 3 }}yes{{ else }}no{{ end }}a: {{ nope 1 }}")
    assert text == f"a: {MARK}"
    assert problems == [
        (1, "depends on a value that is known only when it is installed"),
        (1, "uses the function nope, which is not known here"),
    ]


def test_a_missing_value_that_is_required_is_named_and_a_check_is_not():
    text, problems = render('x: {{ required "set .Values.a" .Values.a }}{{ fail "no" }}')
    assert text == f"x: {MARK}"
    assert problems == [(1, "needs a value that the chart does not give: set .Values.a")]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{{ .a", "not closed"),
        ("{{ if .a }}", "without its end"),
        ("{{ end }}", "without a block"),
        ("{{ ( }}", "not closed"),
        ("{{ a | | b }}", "empty command"),
        ("{{ ^ }}", "unexpected"),
        ("{{ if . }}" * 100 + "{{ end }}" * 100, "nest too deeply"),
        ("{{ " + "(" * 100 + "1" + ")" * 100 + " }}", "nest too deeply"),
        ("{{ . }}" * 60_000, "too many actions"),
        ("{{ " + "a " * 50_000 + "}}", "not closed"),
    ],
)  # fmt: skip
def test_what_is_no_template_is_named_with_its_line(text, reason):
    with pytest.raises(FormatError, match=reason) as raised:
        parse_template("\n" + text)
    assert "line 2" in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        "{{ range until 9999 }}{{ range until 9999 }}x{{ end }}{{ end }}",
        "{{ range 900000000 }}x{{ end }}",
        '{{ range until 9999 }}{{ $_ := regexMatch "a+b" $.Values.long }}{{ end }}',
        "{{ range until 9999 }}{{ $_ := fromYaml $.Values.long }}{{ end }}",
        "{{ range until 9999 }}{{ $_ := tpl $.Values.template $ }}{{ end }}",
        '{{ $s := "xxxxxxxxxx" }}{{ range until 64 }}{{ $s = print $s $s }}{{ end }}{{ $s }}',
        '{{ $d := dict }}{{ range until 9000 }}{{ $d = dict "a" $d "b" $d }}{{ toYaml $d }}{{ end }}',
    ],
)
def test_hostile_work_ends(text):
    started = time.process_time()
    values = {"long": "- a\n" * 100_000, "template": "{{ 1 }}" * 10_000}
    with pytest.raises(ExhaustedError):
        render(text, values)
    assert time.process_time() - started < 10


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}', "never ended"),
        ("{{ tpl .Values.t . }}", "never ended"),
        ('{{ $d := dict }}{{ $_ := set $d "a" $d }}x{{ $d }}', "nests too deeply"),
        ('{{ $d := dict }}{{ $_ := set $d "a" $d }}{{ eq $d $d }}', "nests too deeply"),
        ("{{ deepCopy (fromYaml .Values.deep) | len }}", "nests|nested"),
        ("{{ until 100000 }}", "counts over"),
        ("{{ div 1 0 }}", "divides by zero"),
        ("{{ index (list 1) 5 }}", "not in the list"),
        ('{{ regexMatch "(" "a" }}', "expression that is none"),
        ('{{ range 5 }}{{ end }}{{ range "abc" }}{{ end }}', "no list"),
    ],
)  # fmt: skip
def test_what_never_ends_or_has_no_meaning_is_named(text, reason):
    values = {"t": "{{ tpl .Values.t . }}", "deep": "[" * 90 + "]" * 90}
    _, problems = render(text, values)
    assert len(problems) == 1
    assert re.search(reason, problems[0][1])


def test_the_budget_is_of_the_whole_chart():
    templates = {f"templates/{at}.yaml": "{{ range until 50 }}- x\n{{ end }}" for at in range(50)}
    found = render_chart(CHART, {}, templates, Budget(steps=1_000))
    assert len(found) == 50
    assert any("more work" in reason for each in found for _, reason in each.problems)


def test_what_is_rendered_has_the_lines_of_its_template():
    text = (
        "{{- if .Values.on }}\napiVersion: v1\nkind: Pod\n{{- end }}\n{{ range .Values.l }}\n"
        "---\nkind: {{ . }}\n{{ end }}\nlast:\n  {{- toYaml .Values.m | nindent 2 }}\nend: 1\n"
    )
    values = {"on": True, "l": ["A", "B"], "m": {"x": 1, "y": 2}}
    (found,) = render_chart(CHART, values, {"templates/a.yaml": text})
    first, second, third = found.documents
    assert (first.line_of("apiVersion"), first.line_of("kind")) == (2, 3)
    assert (second["kind"], second.line_of("kind")) == ("A", 7)
    assert (third["kind"], third.line_of("kind")) == ("B", 7)
    assert (third.line_of("last"), third["last"].line_of("y"), third.line_of("end")) == (9, 10, 11)


def test_unknown_values_are_left_out_of_documents():
    text = "a: {{ randAlphaNum 3 }}\nb: [x, '{{ now }}']\n{{ uuidv4 }}: 1\n"
    (found,) = render_chart(CHART, {}, {"templates/a.yaml": text})
    assert found.documents == ({"a": None, "b": ["x", None]},)
    assert found.problems == ()


def test_what_renders_to_no_yaml_is_named():
    (found,) = render_chart(CHART, {}, {"templates/a.yaml": "a: [{{ .Chart.Name }}"})
    assert found.documents == ()
    assert "not YAML" in found.problems[0][1]
