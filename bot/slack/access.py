"""Who may do what, decided from the user id of a signed request alone; whoever is not known for sure may nothing.

|                                   | stranger | member | lead of the team | admin |
|-----------------------------------|----------|--------|------------------|-------|
| questions, plans, article, help   | yes      | yes    | yes              | yes   |
| own spend, own alerts             |          | yes    | yes              | yes   |
| the digest of everybody           |          | yes    | yes              | yes   |
| a team's spend                    |          | own    | yes              | yes   |
| a team's recommendation           |          |        | yes              | yes   |
| digests of channels, who is who,  |          |        |                  |       |
| imports, another person's day     |          |        |                  | yes   |

A stranger is anybody of another workspace, a deactivated person, or a bot. Guests see their own figures alone.
"""

from collections.abc import Collection

from bot.slack.directory import Directory
from bot.store.teams import Team

NOT_MEMBER = "Only people of this workspace see its spend; I cannot tell that you are one of them."
NOT_ADMIN = "Only admins do that (CLAUDECOST_ADMINS); ask one of them."
NOT_LEAD = "The recommendation for a team is for its lead and for admins (CLAUDECOST_ADMINS)."
NOT_TEAM = "What a team spends is for its people, its lead and admins (CLAUDECOST_ADMINS)."


class Access:
    """Answers for one workspace. ``admins`` are user ids; with ``follows_slack``, Slack's own admins are too."""

    def __init__(self, directory: Directory, admins: Collection[str] = (), *, follows_slack: bool = False) -> None:
        self.directory = directory
        self.admins = frozenset(admins)
        self.follows_slack = follows_slack

    def is_member(self, user: str) -> bool:
        """Whether it is a person of this workspace, and no guest in some of its channels."""
        member = self.directory.member(user)
        return member is not None and not member.is_guest

    def is_admin(self, user: str) -> bool:
        """Whether they look after the installation."""
        if user not in self.admins and not self.follows_slack:
            return False
        member = self.directory.member(user)
        return member is not None and (user in self.admins or member.is_workspace_admin)

    def advises_team(self, user: str, team: Team | None) -> bool:
        """Whether they see which plans a team (everybody where None) should have."""
        leads = team is not None and team.lead == user and self.is_member(user)
        return leads or self.is_admin(user)
