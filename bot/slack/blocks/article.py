"""The figures of the article on session costs beside ours."""

from bot.ask.article import PUBLISHED, Claim
from bot.slack.blocks.message import Message, context, header, section

PER_SECTION = 6


def article_message(claims: list[Claim]) -> Message:
    """First what does not come out, with the reason; then what nobody can tell, and what does."""
    wrong, open_, right = ([claim for claim in claims if claim.agrees is said] for said in (False, None, True))
    title = f"{len(right)} of {len(claims)} figures of the article of {PUBLISHED} come out"
    blocks = [header(title)]
    for name, group in (("Do not come out", wrong), ("Cannot be told", open_), ("Come out", right)):
        lines = [_line(claim) for claim in group]
        lines[0] = f"*{name}*\n{lines[0]}"
        blocks += [section(*lines[start : start + PER_SECTION]) for start in range(0, len(lines), PER_SECTION)]
    blocks.append(
        context(f"Worked out with the list prices of {PUBLISHED}: Sonnet 4.6, and Haiku 4.5 where it says so")
    )
    return Message(title, blocks)


def _line(claim: Claim) -> str:
    why = f" {claim.why}" if claim.why else ""
    return f"• {claim.what}: says {claim.said}, ours *{claim.ours}* ({claim.formula}).{why}"
