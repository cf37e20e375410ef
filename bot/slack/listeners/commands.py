"""Commands that anybody may ask: they take no database, and are answered in the acknowledgement."""

from collections.abc import Callable, Collection
from datetime import date
from difflib import get_close_matches

from bot.ask import Refusal, ask, monthly_spend
from bot.ask.article import article_claims
from bot.pricing import PriceBook, default_price_book
from bot.pricing.plans import PlanBook
from bot.pricing.tiers import what_if
from bot.slack.blocks.answer import answer_message, refusal_message
from bot.slack.blocks.article import article_message
from bot.slack.blocks.help import help_message
from bot.slack.blocks.plans import plan_list_message, what_if_message
from bot.slack.listeners.replies import Command, Reply, plain, say, words_after
from bot.store.answers import Answered

MAX_KEPT = 200
"""Characters of a question and of its answer that are remembered."""


class Questions:
    """The listeners of cost questions and of what is known without anybody's usage."""

    def __init__(
        self,
        book: PriceBook,
        plans: PlanBook,
        today: Callable[[], date],
        words: Callable[[], Collection[str]],
        keep: Callable[[str, Answered], None],
    ) -> None:
        """``words`` are the first words that are commands; ``keep`` remembers whose question had which answer."""
        self.book = book
        self.plans = plans
        self.today = today
        self.words = words
        self.keep = keep

    def answer(self, reply: Reply, command: Command) -> None:
        """Price a question."""
        text = str(command["text"])
        try:
            message = answer_message(ask(text, self.today(), self.book))
            self.keep(command["user_id"], Answered(text[:MAX_KEPT], plain(message.text)[:MAX_KEPT]))
        except Refusal as refusal:
            near = self._nearest_command(text)
            message = refusal_message(near or refusal, runs=near is not None)
        say(reply, message)

    def show_help(self, reply: Reply, command: Command) -> None:
        """Everything that can be typed, or what belongs to a topic."""
        say(reply, help_message(words_after(command)))

    def show_article(self, reply: Reply, _command: Command) -> None:
        """The figures of the article on session costs beside ours."""
        say(reply, article_message(article_claims(default_price_book())))

    def show_plans(self, reply: Reply, command: Command) -> None:
        """The plans that are known, or what each would cost for a spend."""
        today, said = self.today(), words_after(command)
        known, typical = self.plans.on(today), self.plans.typical(today)
        if not said:
            say(reply, plan_list_message(known, today, (typical.average, typical.p90) if typical else None))
            return
        try:
            spent = monthly_spend(said, today, self.book)
        except Refusal as refusal:
            say(reply, refusal_message(Refusal(refusal.sentence, "plans $6 a day")))
            return
        say(reply, what_if_message(spent, *what_if(spent.daily_usd, known), today))

    def _nearest_command(self, text: str) -> Refusal | None:
        """What to say to a first word that is nearly a command."""
        first, *rest = text.split()
        near = get_close_matches(first.lower(), [word for word in self.words() if word], 1, 0.75)
        if not near:
            return None
        sentence = f"“{first[:60]}” is no command. Did you mean “{near[0]}”?"
        return Refusal(sentence, " ".join([near[0], *rest]))
