"""The three readers on real exports and on damaged ones."""

import json
import tracemalloc
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.exports.formats import reader_named, recognise
from bot.exports.reader import ReadingContext, UnreadableExport
from bot.pricing import PriceBook, PriceConditions, TokenUsage
from bot.spend.records import Actor, Problem, RequestRows, UsageRecord
from tests.conftest import SAMPLES
from tests.usage import as_export, one_by_one

HEADER = (
    "usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,"
    "usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,"
    "usage_output_tokens,web_search_count,inference_geo,speed"
)
ROW = "2026-08-05,claude-opus-5,app,Default,standard,≤ 200k,1,2,3,4,5,6,global,"


def read(
    data: bytes | str, book: PriceBook, zone: str = "UTC", person: str | None = None
) -> tuple[list[UsageRecord], list[Problem]]:
    export = as_export(data)
    found = list(one_by_one(recognise(export).read(export, ReadingContext(ZoneInfo(zone), book, person))))
    return [f for f in found if isinstance(f, UsageRecord)], [f for f in found if isinstance(f, Problem)]


def page(*breakdown: object, **record: object) -> str:
    fields = {
        "date": "2026-09-08T00:00:00Z",
        "actor": {"type": "user_actor", "email_address": "Dana@Example.com"},
        "customer_type": "api",
        "terminal_type": "vscode",
        "model_breakdown": list(breakdown),
        **record,
    }
    return json.dumps({"data": [fields], "has_more": False, "next_page": None})


OPUS = {
    "model": "claude-opus-5",
    "tokens": {"input": 10, "output": 20, "cache_read": 30, "cache_creation": 40},
    "estimated_cost": {"currency": "USD", "amount": 141},
}


class TestAnalyticsApi:
    def test_a_page_becomes_one_record_a_model(self, book: PriceBook) -> None:
        records, problems = read(page(OPUS), book)
        assert problems == []
        assert records == [
            UsageRecord(
                row=1,
                day=date(2026, 9, 8),
                actor=Actor("email", "dana@example.com"),
                model="claude-opus-5",
                usage=TokenUsage(10, 20, 30, 40),
                conditions=PriceConditions(prompt_tier="unknown"),
                part="vscode",
                reported_usd=Decimal("1.41"),
            )
        ]

    @pytest.mark.parametrize(
        ("sample", "tokens", "usd"),
        [
            ("doc_guide_2026-08-21.json", TokenUsage(100_000, 35_000, 10_000, 5_000), "1.41"),
            # 45,230 + 23,100; 12,450 + 5,680; 8,790 + 3,420; 2,340 + 890; 186 + 42 cents
            ("api_reference.json", TokenUsage(68_330, 18_130, 12_210, 3_230), "2.28"),
            ("fixture_l6e_user_actor.json", TokenUsage(100_000, 35_000, 10_000, 5_000), "10.25"),
        ],
    )
    def test_samples(self, book: PriceBook, sample: str, tokens: TokenUsage, usd: str) -> None:
        records, problems = read((SAMPLES / "claude_code_analytics_api" / sample).read_bytes(), book)
        total = TokenUsage()
        for record in records:
            total = total.plus(record.usage)
        assert (problems, total, sum(record.reported_usd or 0 for record in records)) == ([], tokens, Decimal(usd))

    def test_a_list_of_pages_is_read_like_one(self, book: PriceBook) -> None:
        records, problems = read(f"[{page(OPUS)},{page(OPUS, terminal_type='tmux')}]", book)
        assert [record.row for record in records] == [1, 2]
        assert problems == []

    def test_a_page_that_comes_twice_counts_once(self, book: PriceBook) -> None:
        records, problems = read(f"[{page(OPUS)},{page(OPUS)}]", book)
        assert len(records) == 1
        assert [problem.problem for problem in problems] == ["Record 2 repeats record 1 and was counted once."]

    def test_records_that_differ_in_anything_all_count(self, book: PriceBook) -> None:
        more = page(OPUS, core_metrics={"lines_of_code": {"added": 1}})
        records, problems = read(f"[{page(OPUS)},{more}]", book)
        assert (len(records), problems) == (2, [])

    def test_a_damaged_record_changes_nothing_about_the_others(self, book: PriceBook) -> None:
        pages = [
            page(OPUS, {**OPUS, "model": " "}, core_metrics={"num_sessions": 3}),
            page(OPUS, {**OPUS, "estimated_cost": None}, terminal_type=None, customer_type="subscription"),
            page(OPUS, date="never", terminal_type="tmux"),
            page(OPUS, actor={"type": "api_actor", "api_key_name": "ci"}, organization_id="org_1"),
        ]
        context = ReadingContext(ZoneInfo("UTC"), book)
        reader = reader_named("claude_code_analytics_api")
        sound = list(reader.read(as_export(f"[{','.join(pages)}]"), context))
        *others, damaged = reader.read(as_export(f"[{','.join(pages)},{page(OPUS, actor=None)}]"), context)
        assert others == sound
        assert isinstance(damaged, Problem)
        # Of the first sessions, a model and a problem with a name; two models; a problem with a day; a model.
        assert [type(one) for one in sound].count(UsageRecord) == 4
        assert len(sound) == 7

    def test_a_byte_that_is_no_text_costs_its_model_alone(self, book: PriceBook) -> None:
        damaged = page(OPUS, {**OPUS, "model": "claude-?"}).encode().replace(b"claude-?", b"claude-\xff")
        records, problems = read(damaged, book)
        assert [record.model for record in records] == ["claude-opus-5"]
        assert [problem.row for problem in problems] == [1]
        assert problems[0].problem.startswith("A model of record 1 was left out")

    def test_an_api_key_is_an_actor_without_a_person(self, book: PriceBook) -> None:
        records, _ = read(page(OPUS, actor={"type": "api_actor", "api_key_name": "ci"}), book)
        assert records[0].actor == Actor("api_key", "ci")

    def test_subscription_usage_is_marked(self, book: PriceBook) -> None:
        records, _ = read(page(OPUS, customer_type="subscription"), book)
        assert records[0].billing == "subscription"

    def test_missing_fields_count_as_nothing(self, book: PriceBook) -> None:
        records, problems = read(page({"model": "claude-opus-5"}, terminal_type=None), book)
        assert problems == []
        assert (records[0].usage, records[0].reported_usd, records[0].part) == (TokenUsage(), None, "")

    def test_a_cost_of_zero_for_used_tokens_is_no_cost(self, book: PriceBook) -> None:
        free = {**OPUS, "estimated_cost": {"currency": "USD", "amount": 0}}
        assert read(page(free), book)[0][0].reported_usd is None

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (
                page({**OPUS, "tokens": {"input": -1}}),
                "A model of record 1 was left out: tokens.input is “-1”: expected int >= 0.",
            ),
            (
                page({**OPUS, "tokens": {"input": "5"}}),
                'A model of record 1 was left out: tokens.input is “"5"”: expected int, got str.',
            ),
            (
                page({**OPUS, "tokens": {"input": 1.5}}),
                "A model of record 1 was left out: tokens.input is “1.5”: expected int, got float.",
            ),
            (page({**OPUS, "model": " "}), "A model of record 1 was left out: model is empty."),
            (
                page({**OPUS, "estimated_cost": {"currency": "EUR", "amount": 3}}),
                "A model of record 1 was left out: its estimated_cost is in EUR; only USD can be read.",
            ),
            (
                page({**OPUS, "estimated_cost": {"amount": -3}}),
                "A model of record 1 was left out: its estimated_cost is -3 cents; expected 0 or more",
            ),
            (page(OPUS, date="2026-02-30"), "Record 1 was left out: date is “2026-02-30”; expected a day"),
            (page(OPUS, actor={"type": "user_actor"}), "Record 1 was left out: its actor has neither email_address"),
            (page(OPUS, actor=None), "Record 1 was left out: actor is “null”: expected object, got null."),
        ],
    )
    def test_what_is_wrong_costs_its_row_alone(self, book: PriceBook, text: str, said: str) -> None:
        records, problems = read(f"[{text},{page(OPUS)}]", book)
        assert len(records) == 1
        assert [problem.row for problem in problems] == [1]
        assert problems[0].problem.startswith(said)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (page(OPUS)[:-40], "it is no page of the Claude Code Analytics API, or it was cut short"),
            ('{"data": NaN, "has_more": false, "actor": 1, "model_breakdown": 1}', "it is no page"),
            (
                '{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}',
                "it is an error from the API, not usage: “invalid x-api-key”",
            ),
        ],
    )
    def test_what_is_no_page_is_refused(self, book: PriceBook, text: str, said: str) -> None:
        reader = reader_named("claude_code_analytics_api")
        with pytest.raises(UnreadableExport, match=said):
            list(reader.read(as_export(text), ReadingContext(ZoneInfo("UTC"), book)))


class TestConsoleUsage:
    def test_a_row_becomes_a_record(self, book: PriceBook) -> None:
        records, problems = read(f"{HEADER}\n{ROW}\n", book)
        assert problems == []
        assert records == [
            UsageRecord(
                row=2,
                day=date(2026, 8, 5),
                actor=Actor("api_key", "app"),
                model="claude-opus-5",
                usage=TokenUsage(1, 5, 4, 2, 3, 6),
                conditions=PriceConditions(prompt_tier="unknown"),
            )
        ]

    def test_the_sample(self, book: PriceBook) -> None:
        records, problems = read((SAMPLES / "console_usage_csv" / "usage_2026-08.csv").read_bytes(), book)
        assert problems == []
        assert [(record.usage, record.part) for record in records] == [
            (TokenUsage(46_981, 16_932, 0, 15_969), ""),
            (TokenUsage(100, 50), "Acme, Inc"),
        ]

    def test_conditions_are_read(self, book: PriceBook) -> None:
        row = "2026-08-05,claude-opus-5,app,Default,batch,> 200k,1,0,0,0,0,0,us,fast"
        records, _ = read(f"{HEADER}\n{row}\n", book)
        assert records[0].conditions == PriceConditions("fast", "us", "batch", "long")

    def test_older_headers_are_read(self, book: PriceBook) -> None:
        header = HEADER.removesuffix(",inference_geo,speed").replace(
            "usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h", "usage_input_tokens_cache_write"
        )
        records, problems = read(f"{header}\n2026-08-05,m,app,Default,standard,≤ 200k,1,2,3,4,5\n", book)
        assert problems == []
        assert records[0].usage == TokenUsage(1, 4, 3, 2, 0, 5)

    def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(self, book: PriceBook) -> None:
        data = b"\xef\xbb\xbf" + f"{HEADER}\r\n{ROW}\r\n\r\n".encode()
        assert len(read(data, book)[0]) == 1

    @pytest.mark.parametrize(
        ("row", "said"),
        [
            (
                ROW.replace(",1,2,", ",-1,2,"),
                "usage_input_tokens_no_cache is “-1”; expected a whole number of 0 or more",
            ),
            (ROW.replace(",1,2,", ",1.5,2,"), "usage_input_tokens_no_cache is “1.5”"),
            (ROW.replace(",1,2,", ",1e9,2,"), "usage_input_tokens_no_cache is “1e9”"),
            (ROW.replace(",1,2,", ",NaN,2,"), "usage_input_tokens_no_cache is “NaN”"),
            (ROW.replace(",1,2,", ",٥,2,"), "usage_input_tokens_no_cache is “٥”"),
            (ROW.replace(",1,2,", f",{'9' * 40},2,"), "usage_input_tokens_no_cache is “9999"),
            (ROW.replace("2026-08-05", "05.08.2026"), "usage_date_utc is “05.08.2026”; expected a day such as"),
            (ROW.replace("claude-opus-5", " "), "model_version is empty"),
            (ROW + ",more", "it has 15 columns where the header has 14"),
            ("2026-08-05,claude", "it has 2 columns where the header has 14"),
        ],
    )
    def test_what_is_wrong_costs_its_row_alone(self, book: PriceBook, row: str, said: str) -> None:
        records, problems = read(f"{HEADER}\n{row}\n{ROW}\n", book)
        assert len(records) == 1
        assert problems[0].row == 2
        assert problems[0].problem.startswith(f"Row 2 was left out: {said}")

    def test_a_row_that_comes_twice_counts_once(self, book: PriceBook) -> None:
        other = ROW.replace(",1,2,", ",9,2,")
        records, problems = read(f"{HEADER}\n{ROW}\n{ROW}\n{other}\n", book)
        assert [record.usage.input for record in records] == [1]
        assert [problem.problem for problem in problems] == [
            "Row 3 repeats row 2 and was counted once.",
            "Row 4 was left out: it is row 2 again with other figures (claude-opus-5 on 2026-08-05); "
            "export those days once more.",
        ]

    def test_an_unclosed_quote_costs_its_own_line(self, book: PriceBook) -> None:
        broken = ROW.replace("app", '"app')
        others = [ROW.replace("app", name) for name in ("one", "two", "three")]
        records, problems = read("\n".join([HEADER, others[0], broken, *others[1:]]), book)
        assert [record.actor.name for record in records] == ["one", "two", "three"]
        assert [problem.row for problem in problems] == [3]

    def test_a_file_that_is_no_utf8_is_refused(self, book: PriceBook) -> None:
        with pytest.raises(UnreadableExport, match="it is not UTF-8 text"):
            read(HEADER.encode() + b"\n\xff\xfe\n", book)


def line(**changes: object) -> str:
    fields: dict[str, object] = {
        "type": "assistant",
        "timestamp": "2026-11-22T23:30:00.000Z",
        "sessionId": "s",
        "requestId": "r1",
        "message": {
            "id": "m1",
            "role": "assistant",
            "model": "claude-sonnet-5-5",
            "usage": {
                "input_tokens": 12,
                "output_tokens": 500,
                "cache_read_input_tokens": 20_000,
                "cache_creation_input_tokens": 3_000,
                "cache_creation": {"ephemeral_5m_input_tokens": 1_000, "ephemeral_1h_input_tokens": 2_000},
                "server_tool_use": {"web_search_requests": 1},
                "service_tier": "standard",
                "inference_geo": "us",
                "speed": "standard",
            },
        },
    }
    return json.dumps({**fields, **changes})


class TestTranscripts:
    def test_a_response_becomes_a_record(self, book: PriceBook) -> None:
        records, problems = read(line(), book, person="Dana@example.com")
        assert problems == []
        found = records[0]
        assert found.usage == TokenUsage(12, 500, 20_000, 1_000, 2_000, 1)
        assert found.conditions == PriceConditions(inference_geo="us")
        assert (found.day, found.actor) == (date(2026, 11, 22), Actor("email", "dana@example.com"))

    def test_an_instant_falls_on_the_day_of_the_zone(self, book: PriceBook) -> None:
        assert read(line(), book, zone="Europe/Paris")[0][0].day == date(2026, 11, 23)

    def test_without_a_person_it_is_a_machine(self, book: PriceBook) -> None:
        assert read(line(), book)[0][0].actor == Actor("machine", "this machine")

    def test_lines_of_one_response_share_a_key_and_others_do_not(self, book: PriceBook) -> None:
        text = "\n".join([line(), line(uuid="x"), line(requestId="r2"), line(requestId=None), line(requestId=None)])
        records, problems = read(text, book)
        assert problems == []
        assert [record.row for record in records] == [1, 3, 4]
        again = read("\n".join([line(uuid="y"), line(requestId=None)]), book)[0]
        keys = [(record.request.key, record.request.name) for record in records if record.request]
        assert [(record.request.key, record.request.name) for record in again if record.request] == [keys[0], keys[2]]
        assert len(set(keys)) == 3
        assert len({key for key, _ in keys}) == 1

    def test_the_fullest_line_of_a_response_counts(self, book: PriceBook) -> None:
        usages: list[dict[str, int]] = [
            {"input_tokens": 5, "output_tokens": 1},
            {"input_tokens": 5, "output_tokens": 40},
            {"input_tokens": 5, "output_tokens": 7},
        ]
        messages = [{"id": "m", "model": "claude-opus-5-5", "usage": usage} for usage in usages]
        records, _ = read("\n".join(line(message=message) for message in messages), book)
        assert [(record.row, record.usage) for record in records] == [(2, TokenUsage(5, 40))]

    @pytest.mark.parametrize(
        ("others", "found"),
        [
            ({"timestamp": "2026-11-23T01:00:00Z"}, [(6, 80)]),
            ({"requestId": "r2"}, [(5, 60), (6, 80)]),  # another response
            ({"isSidechain": True}, [(5, 60)]),  # a subagent's copy of it
        ],
    )
    def test_a_line_that_says_more_takes_the_place_of_the_last_one_of_its_response(
        self, book: PriceBook, others: dict[str, object], found: list[tuple[int, int]]
    ) -> None:
        said = [{"input_tokens": 5, "output_tokens": output} for output in (1, 40, 40, 7, 60, 80)]
        messages = [{"id": "m", "model": "claude-opus-5-5", "usage": usage} for usage in said]
        texts = [*(line(message=message) for message in messages[:-1]), line(message=messages[-1], **others)]
        records, problems = read("\n".join(texts), book)
        assert ([(record.row, record.usage.output) for record in records], problems) == (found, [])

    def test_what_a_response_cost_is_not_that_of_what_was_billed_beside_it(self, book: PriceBook) -> None:
        advice = {"type": "advisor_message", "model": "claude-opus-5-5", "input_tokens": 30, "output_tokens": 40}
        usage = {"input_tokens": 5, "output_tokens": 1, "iterations": [{"type": "message"}, advice]}
        records, _ = read(line(costUSD=0.5, message={"id": "m", "model": "claude-sonnet-5-5", "usage": usage}), book)
        assert [(record.usage, record.reported_usd) for record in records] == [
            (TokenUsage(5, 1), Decimal("0.5")),
            (TokenUsage(30, 40), None),
        ]

    def test_subagents_lines_without_a_message_id_are_told_apart_by_the_lines_that_they_came_in(
        self, book: PriceBook
    ) -> None:
        message = {"model": "claude-opus-5-5", "role": "assistant", "usage": {"input_tokens": 5, "output_tokens": 1}}
        inner = {"type": "assistant", "timestamp": "2026-11-22T10:00:00Z", "message": message}
        outer = [
            json.dumps({"type": "progress", "sessionId": "s", "uuid": uuid, "data": {"message": inner}})
            for uuid in ("a", "a", "b")
        ]
        records, problems = read("\n".join([line(), *outer]), book)
        assert ([record.row for record in records], problems) == ([1, 2, 4], [])
        assert (
            read(outer[0].replace('"assistant"', '"user"').replace('"model": "claude-opus-5-5", ', ""), book)[0] == []
        )

    def test_a_user_line_counts_where_its_message_does_however_long_it_is(self, book: PriceBook) -> None:
        """As ccusage does; what a tool used is not counted here."""
        told = json.loads(line(type="user"))
        result = {"content": "x" * 5000, "usage": {"input_tokens": 7}}
        texts = [
            json.dumps(fields, separators=(",", ":"))
            for fields in (
                {**told, "toolUseResult": result},
                {"type": "user", "toolUseResult": result, **told, "requestId": "r2"},
                {"type": "user", **told, "message": {"role": "user", "content": "x"}, "toolUseResult": result},
            )
        ]
        records, problems = read("\n".join(texts), book)
        assert ([(record.row, record.usage.input) for record in records], problems) == ([(1, 12), (2, 12)], [])

    def test_a_response_behind_a_tools_result_that_was_cut_is_told(self, book: PriceBook) -> None:
        result = {"type": "user", "message": {"content": "x"}, "toolUseResult": {"stdout": "y" * 5000}}
        cut = json.dumps(result, separators=(",", ":"))[:-20]
        records, problems = read(f"{cut}{line()}\n{line()}", book)
        assert (len(records), [problem.row for problem in problems]) == (1, [1])

    def test_a_model_with_long_prompts_alone_has_no_other_name(self, book: PriceBook) -> None:
        message = {"id": "m", "model": "claude-haiku-5-5", "usage": {"input_tokens": 10**5 + 1}}
        context = ReadingContext(ZoneInfo("UTC"), book)
        (rows,) = reader_named("transcripts").read(as_export(line(message=message).encode()), context)
        assert isinstance(rows, RequestRows)
        assert [conditions.prompt_tier for _, conditions, _ in rows.names] == ["long"]

    def test_old_lines_state_a_cost_and_write_for_five_minutes(self, book: PriceBook) -> None:
        sample = SAMPLES / "transcripts" / "ccusage_fixture" / "project-alpha_session-alpha_chat.jsonl"
        records, problems = read(sample.read_bytes(), book)
        assert problems == []
        assert [record.reported_usd for record in records] == [Decimal("0.12"), Decimal("0.34"), Decimal("0.56")]
        assert records[1].usage == TokenUsage(200, 75, 20, 50)
        assert records[1].conditions.speed == "fast"

    def test_a_long_prompt_is_noticed_per_request(self, book: PriceBook) -> None:
        message = {
            "id": "m",
            "model": "claude-haiku-5-5",
            "usage": {"input_tokens": 1, "cache_read_input_tokens": 10**5},
        }
        assert read(line(message=message), book)[0][0].conditions.prompt_tier == "long"

    def test_other_lines_are_passed_over(self, book: PriceBook) -> None:
        text = "\n".join(
            [
                '{"type":"user","message":{"role":"user","content":"how much?","usage":{"input_tokens":5}}}',
                '{"type":"cost-state","sessionId":"s","totalCostUSD":0.04}',
                line(message={"id": "m", "model": "<synthetic>", "usage": {"input_tokens": 5}}),
                "",
            ]
        )
        assert read(text, book) == ([], [])

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (line()[:-30], "Line 1 was left out:"),
            (line(timestamp=None), "Line 1 was left out: it has no timestamp, so it belongs to no day."),
            (
                line(timestamp="yesterday"),
                'Line 1 was left out: timestamp is “"yesterday"”: invalid RFC3339 encoded datetime.',
            ),
            (
                line(timestamp="2026-11-22T10:00:00"),
                'Line 1 was left out: timestamp is “"2026-11-22T10:00:00"”: expected datetime with a timezone',
            ),
            (
                line(costUSD=-1),
                "Line 1 was left out: its costUSD is -1; expected 0 or more, and less than 1,000,000,000.",
            ),
            (
                line(message={"usage": {"input_tokens": -4}}),
                "Line 1 was left out: message.usage.input_tokens is “-4”: expected int >= 0.",
            ),
            (line(message={"usage": {"input_tokens": 4}}), "Line 1 was left out: it has no model."),
            # As a crash while a line is written leaves it, and the next session goes on where it ended.
            ('{"type":"user","message":{"content":"hel' + line(), "Line 1 was left out: JSON is malformed"),
            ('{"type":"user","message":{}}\r' + line(), "Line 1 was left out: JSON is malformed: trailing characters"),
            (line()[: line().index('"usage"')], "Line 1 was left out: Input data was truncated."),
        ],
    )
    def test_what_is_wrong_costs_its_line_alone(self, book: PriceBook, text: str, said: str) -> None:
        records, problems = read(f"{text}\n{line()}", book)
        assert len(records) == 1
        assert problems[0].problem.startswith(said)


def test_a_last_line_that_is_cut_is_told_wherever_that_is(book: PriceBook) -> None:
    content = [{"type": "tool_use", "input": {"path": "a"}}]
    message = {"content": content, "id": "msg_2", "model": "claude-opus-5", "usage": {"input_tokens": 1}}
    last = json.dumps({"message": message, "timestamp": "2026-09-01T10:00:00Z", "type": "assistant"})
    for end in range(1, len(last)):
        records, problems = read(f"{line()}\n{last[:end]}", book)
        assert (len(records), [one.row for one in problems]) == (1, [2]), last[:end]
    assert len(read(f"{line()}\n{last}", book)[0]) == 2


def test_a_cut_line_that_says_it_is_no_response_is_passed_over(book: PriceBook) -> None:
    cut = '{"parentUuid":null,"type":"user","message":{"content":[{"text":"hel'
    records, problems = read(f"{cut}\n{line()}", book)
    assert (len(records), problems) == (1, [])


def test_formats_are_told_from_content(tmp_path: Path) -> None:
    assert recognise(as_export(page(OPUS).encode())).name == "claude_code_analytics_api"
    assert recognise(as_export(b'{"data":[],"has_more":false,"next_page":null}')).name == "claude_code_analytics_api"
    assert recognise(as_export(HEADER.encode())).name == "console_usage_csv"
    assert recognise(as_export(line().encode())).name == "transcripts"


@pytest.mark.parametrize(
    "first",
    [
        {"type": "summary", "summary": "done", "leafUuid": "u1"},
        {"type": "file-history-snapshot", "messageId": "m", "snapshot": {"trackedFileBackups": {}}},
        {"type": "queue-operation", "operation": "enqueue", "sessionId": "s"},
    ],
)
def test_a_transcript_is_one_whatever_its_tools_were_given(first: dict[str, Any]) -> None:
    given = {"results": [], "amount": "1", "group": {}, "usage": {}, "starting_at": "x", "modelBreakdowns": []}
    call = {"type": "tool_use", "input": given}
    message = {"role": "assistant", "content": [call]}
    line = {"parentUuid": "u1", "sessionId": "s", "message": message, "type": "assistant"}
    for sorts in (False, True):
        text = "\n".join(json.dumps(one, separators=(",", ":"), sort_keys=sorts) for one in (first, line))
        assert recognise(as_export(text)).name == "transcripts"


@pytest.mark.parametrize("folder", ["/src/app", "/src/{{slug}}"])
def test_a_first_line_longer_than_what_is_looked_at(folder: str) -> None:
    given = {"resourceMetrics": [{"group": {}}], "text": "x" * 70_000}
    line = {"cwd": folder, "sessionId": "s", "type": "user", "message": {"content": "go"}, "toolUseResult": given}
    assert recognise(as_export(json.dumps(line, separators=(",", ":")))).name == "transcripts"


@pytest.mark.parametrize(
    ("name", "document"),
    [
        (
            "litellm_spend_logs",
            [{"request_id": "r", "spend": 1, "startTime": "x", "metadata": {"sessionId": "s", "type": 1}}],
        ),
        ("analytics_cost", {"data": [{"starting_at": "x", "group": {"type": "user", "sessionId": 1}, "cost": {}}]}),
        ("ccusage", {"sessions": [{"sessionId": "s", "type": "summary", "modelBreakdowns": []}]}),
    ],
)
def test_a_session_named_in_another_export_makes_no_transcript(name: str, document: object) -> None:
    assert recognise(as_export(json.dumps(document, separators=(",", ":")))).name == name


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "it is empty"),
        (b"hello,world\n1,2\n", "it starts with “hello,world”, which is no known export. docs/sources.md lists"),
        (b"\x89PNG\r\n\x1a\n", "which is no known export"),
    ],
)
def test_other_content_is_refused_by_quoting_it(data: bytes, said: str) -> None:
    with pytest.raises(UnreadableExport, match=said):
        recognise(as_export(data))


@pytest.mark.parametrize(("keys", "column", "most"), [(200, False, 200), (200, True, 300), (20_000, False, 1000)])
def test_a_long_export_is_read_in_little_memory(book: PriceBook, keys: int, column: bool, most: int) -> None:
    count = 20_000
    rows = (
        f"request{number}," * column
        + ROW.replace(",app,", f",claude_code_key_dana{number % keys:06}_ab12,").replace(
            "2026-08-05", str(date(2026, 1, 1) + timedelta(days=number // keys))
        )
        for number in range(count)
    )
    export = as_export("\n".join(["request_id," * column + HEADER, *rows]))
    tracemalloc.start()
    found = sum(
        isinstance(one, UsageRecord) for one in recognise(export).read(export, ReadingContext(ZoneInfo("UTC"), book))
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == count
    assert peak / count < most
