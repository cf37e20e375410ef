"""The playground: what each person sees, and, where Debian's Chromium is installed, the page itself in a browser."""

import json
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.playground.demo import ADMIN, CHANNEL
from bot.playground.page import Theatre, create_page, opened_theatre
from bot.playground.server import served
from bot.store.deliveries import all_deliveries
from tests.ports import free_port

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture
def theatre(tmp_path: Path) -> Iterator[Theatre]:
    with opened_theatre(str(tmp_path)) as opened:
        yield opened


@pytest.fixture
def url(theatre: Theatre) -> Iterator[str]:
    with served(create_page(theatre)) as address:
        yield address


def post(url: str, path: str, **said: Any) -> Any:
    headers = {"content-type": "application/json", "X-Playground": "1"}
    request = urllib.request.Request(url + path, data=json.dumps(said).encode(), headers=headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def seen(url: str, user: str) -> Any:
    with urllib.request.urlopen(f"{url}/state?user={user}", timeout=20) as answer:
        return json.load(answer)


def texts(url: str, user: str, room: str) -> list[str]:
    return [message["text"] for message in seen(url, user)["messages"][room]]


class TestWhatPeopleSee:
    def test_an_answer_is_seen_by_whoever_asked_alone(self, url: str) -> None:
        post(url, "/command", user="U001", channel=CHANNEL, text="/claudecost 500k in 80k out opus")
        assert texts(url, "U001", CHANNEL) == ["$3.60 on Claude Opus 5.5 at list price of 2026-11-20"]
        assert texts(url, "U002", CHANNEL) == []

    def test_the_digest_comes_as_the_clock_moves(self, url: str) -> None:
        assert texts(url, "U001", CHANNEL) == []
        assert post(url, "/clock", user="U001", to="hour")["sent"] == 1
        assert texts(url, "U005", CHANNEL)[0].startswith("Claude Code spend · Thu 19 Nov (UTC day): $100.11")
        assert seen(url, "U001")["now"] == "Fri 20 Nov 2026 09:59"
        post(url, "/clock", user="U001", to="tomorrow")
        assert seen(url, "U001")["now"] == "Sat 21 Nov 2026 09:00"

    def test_late_data_correct_the_digest_of_their_day(self, theatre: Theatre, url: str) -> None:
        post(url, "/clock", user="U001", to="hour")
        assert post(url, "/late-data", user="U001")["said"].endswith("0 accepted, 3 restated")

    def test_a_lost_answer_makes_no_second_digest(self, url: str) -> None:
        post(url, "/fault", user="U001", kind="lost")
        post(url, "/clock", user="U001", to="hour")
        post(url, "/clock", user="U001", to="hour")
        assert len(texts(url, "U001", CHANNEL)) == 1

    def test_a_worker_that_crashes_makes_no_second_digest(self, theatre: Theatre, url: str) -> None:
        post(url, "/fault", user="U001", kind="crash")
        assert seen(url, "U001")["faults"] == 1
        post(url, "/clock", user="U001", to="hour")
        assert seen(url, "U001")["faults"] == 0
        database = theatre.installation.database
        (killed,) = [one for one in all_deliveries(database) if one.state != "sent"]
        assert (killed.state, killed.send_started_at is None, killed.ts) == ("sending", False, None)
        post(url, "/clock", user="U001", to="hour")
        assert {one.state for one in all_deliveries(database)} == {"sent"}
        (said,) = texts(url, "U001", CHANNEL)
        assert said.startswith("Claude Code spend · Thu 19 Nov")

    def test_the_home_tab_is_made_for_each_person(self, url: str) -> None:
        for user, is_admin in (("U001", False), (ADMIN, True)):
            post(url, "/home", user=user)
            for _ in range(100):
                home = seen(url, user)["home"]
                if home is not None:
                    break
            assert home is not None
            assert ("For admins" in json.dumps(home)) is is_admin

    def test_another_page_of_the_browser_cannot_act(self, url: str) -> None:
        request = urllib.request.Request(f"{url}/clock", data=b"{}")
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(request, timeout=10)

    def test_the_picture_is_served(self, url: str) -> None:
        post(url, "/clock", user="U001", to="hour")
        (message,) = seen(url, "U001")["messages"][CHANNEL]
        (image,) = [block for block in message["blocks"] if block["type"] == "image"]
        with urllib.request.urlopen(f"{url}/files/{image['slack_file']['id']}", timeout=10) as answer:
            assert answer.read().startswith(b"\x89PNG")


def test_the_command_serves_it_and_ends(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "bot", "playground", "--port", str(port)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={"PATH": "", "HOME": str(tmp_path)}
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(f"Open http://127.0.0.1:{port} in your browser.")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
            assert b"claudecost playground" in answer.read()
        process.send_signal(2)
        assert process.wait(20) == 0


@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium: apt install chromium")
class TestInABrowser:
    @pytest.fixture
    def page(self, url: str) -> Iterator[Any]:
        from playwright.sync_api import sync_playwright

        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            opened = browser.new_page(viewport={"width": 1100, "height": 900})
            wrong: list[str] = []
            opened.on("pageerror", lambda error: wrong.append(str(error)))
            opened.goto(url)
            yield opened
            browser.close()
        assert wrong == []

    def test_ask_and_share(self, page: Any) -> None:
        page.fill("#text", "/claudecost 500k in 80k out opus")
        page.press("#text", "Enter")
        page.click("text=Share here")
        page.wait_for_selector("text=Asked by @Ada Moreau")

    def test_tomorrow_brings_the_digest(self, page: Any) -> None:
        page.click("text=Tomorrow 09:00")
        page.wait_for_selector("article >> text=Claude Code spend · Thu 19 Nov")
        page.wait_for_selector("header >> text=Sat 21 Nov 2026 09:00")

    @pytest.mark.parametrize(
        ("pressed", "said"),
        [
            ("Planned work", "Planned work: nothing more about Thu 19 Nov"),
            ("Mute until Monday", "Muted until Mon 23 Nov"),
        ],
    )
    def test_the_buttons_of_an_alert(self, page: Any, pressed: str, said: str) -> None:
        page.click("text=+1 hour")
        page.click('nav button:has-text("claudecost (")')
        page.click(f"text={pressed}")
        page.wait_for_selector(f"article >> text={said}")
        page.wait_for_selector(f'article button:has-text("{pressed}")', state="detached")

    def test_digest_alert_and_its_window(self, page: Any) -> None:
        page.click("text=+1 hour")
        page.wait_for_selector("article img")
        page.click('nav button:has-text("claudecost (")')
        page.click("text=Change my limit")
        page.fill('dialog input[type="number"]', "0")
        page.click("dialog >> text=Save")
        page.wait_for_selector("text=“0” is no amount from $0.01 to $100,000")
        page.fill('dialog input[type="number"]', "25")
        page.click("dialog >> text=Save")
        page.wait_for_selector("text=Your limit is $25.00 a day now")

    def test_the_calculator_follows_what_is_typed_and_shares(self, page: Any) -> None:
        page.fill("#text", "/claudecost calculator")
        page.press("#text", "Enter")
        page.wait_for_selector("dialog >> text=$3.60")
        page.fill('dialog input[name="tokens"]', "1M out")
        page.wait_for_selector("dialog >> text=$20.00")
        page.select_option('dialog select[name="model"]', "sonnet")
        page.wait_for_selector("dialog >> text=$10.00")
        page.click("dialog >> text=Share here")
        page.wait_for_selector("article >> text=Asked by @Ada Moreau")

    def test_the_menu_and_a_picker_at_home(self, page: Any) -> None:
        page.fill("#text", "/claudecost ")
        page.press("#text", "Enter")
        page.click("article >> text=My spend")
        page.wait_for_selector("text=your newest day with usage")
        page.select_option("#who", ADMIN)
        page.click("text=claudecost, Home")
        page.wait_for_selector("text=Unassigned, 1 name")
        page.select_option('select[aria-label="Whose is it?"]', "U001")
        page.wait_for_selector("text=Unassigned, 1 name", state="detached")

    def test_settings_are_chosen_and_hold(self, page: Any) -> None:
        page.select_option("#who", ADMIN)
        page.click("text=claudecost, Home")
        page.click("text=Settings")
        page.fill('dialog input[name="timezone"]', "Mars")
        page.fill('dialog input[name="limit_usd"]', "25")
        page.click("dialog >> text=Save")
        page.wait_for_selector(
            'dialog >> text="“Mars” is no time zone: it is no IANA time zone, such as Europe/Paris or UTC."'
        )
        page.fill('dialog input[name="timezone"]', "Europe/Berlin")
        page.check('dialog input[value="native"]')
        page.click("dialog >> text=Save")
        page.wait_for_selector("dialog >> text=daily limit: 12 → 25")
        page.click("dialog >> text=Close")
        page.click("text=#engineering")
        page.click("text=+1 hour")
        page.wait_for_selector("figure >> text=Last 14 days, USD")

    def test_last_questions_are_asked_again_at_home(self, page: Any) -> None:
        page.fill("#text", "/claudecost 1M out sonnet")
        page.press("#text", "Enter")
        page.wait_for_selector("article >> text=$10.00")
        page.click("text=claudecost, Home")
        page.click("text=Ask again")
        page.wait_for_selector("dialog >> text=$10.00")

    def test_an_export_is_dropped(self, page: Any, tmp_path: Path) -> None:
        page.select_option("#who", ADMIN)
        export = tmp_path / "usage.csv"
        header = "usage_date_utc,model_version,api_key,usage_input_tokens_no_cache,usage_output_tokens"
        export.write_text(f"{header}\n2026-11-18,claude-opus-5,ci,1000000,0\n", encoding="utf-8")
        page.set_input_files("#file", str(export))
        page.wait_for_selector("text=1 accepted, 0 rejected")

    def test_exports_are_chosen_in_a_window(self, page: Any, tmp_path: Path) -> None:
        page.select_option("#who", ADMIN)
        export = tmp_path / "usage.csv"
        header = "usage_date_utc,model_version,api_key,usage_input_tokens_no_cache,usage_output_tokens"
        export.write_text(f"{header}\n2026-11-18,claude-opus-5,ci,1000000,0\n", encoding="utf-8")
        page.fill("#text", "/claudecost import")
        page.press("#text", "Enter")
        page.set_input_files('dialog input[type="file"]', str(export))
        page.click('dialog button:has-text("Import")')
        page.click('nav button:has-text("claudecost (")')
        page.wait_for_selector("text=1 accepted, 0 rejected")

    def test_subscribe_and_recommend(self, page: Any) -> None:
        page.fill("#text", "/claudecost recommend")
        page.press("#text", "Enter")
        page.wait_for_selector("text=fits you better than API")
        page.select_option("#who", ADMIN)
        page.fill("#text", "/claudecost subscribe weekly 10:00")
        page.press("#text", "Enter")
        page.wait_for_selector("text=This channel gets the weekly digest at 10:00")
        page.click("text=claudecost, Home")
        page.wait_for_selector("text=For admins")
