"""A model of budgets, independent of the service: periods from zoneinfo, sums from a list of records."""

import datetime
import fractions

from orbital import credits_text, instant_text, microseconds, moment
from sums import start_of

DAY = datetime.timedelta(days=1)


def local_day(instant, zone):
    """The last day that has begun by `instant`, in microseconds."""
    day = (moment(instant) + 2 * DAY).date()
    while start_of(day, zone) > instant:
        day -= DAY
    return day


def first_day(day, every, month_start):
    """The first day of the period that has `day`."""
    if every == "day":
        return day
    if every == "week":
        return day - day.weekday() * DAY
    while day.day != month_start:
        day -= DAY
    return day


def next_day(first, every):
    """The first day of the period after the one that begins on `first`."""
    if every == "month":
        return (first.replace(day=1) + 32 * DAY).replace(day=first.day)
    return first + (7 if every == "week" else 1) * DAY


class Budget:
    """A budget; times in microseconds."""

    def __init__(self, name, hundredths, every, zone="UTC", user=None, team=None, month_start=1, begins=0, ends=None,
                 thresholds=(50, 80, 100)):
        self.name, self.hundredths, self.every, self.zone, self.user, self.team = name, hundredths, every, zone, user, team
        self.month_start, self.begins, self.ends, self.thresholds = month_start, begins, ends, list(thresholds)

    def options(self):
        """Of `orbitalctl budgets add`."""
        words = [self.name, "--credits", credits_text(self.hundredths), "--every", self.every, "--tz", self.zone,
                 "--thresholds", ",".join(map(str, self.thresholds)), "--from", instant_text(self.begins)]
        words += ["--user", self.user] if self.user else ["--team", self.team] if self.team else []
        words += ["--to", instant_text(self.ends)] if self.ends else []
        return words + (["--month-start", str(self.month_start)] if self.month_start != 1 else [])

    def period(self, instant):
        """The bounds of the period that has `instant`, in microseconds."""
        first = first_day(local_day(instant, self.zone), self.every, self.month_start)
        start, end = start_of(first, self.zone), start_of(next_day(first, self.every), self.zone)
        assert start <= instant < end
        return start, end

    def counts(self, record):
        user, team = record.more.get("user_id"), record.more.get("team_id")
        return self.user in (None, user) and self.team in (None, team)

    def used(self, period, records):
        """The hundredths used in a period."""
        return sum(r.hundredths for r in records if period[0] <= r.microseconds < period[1] and self.counts(r))

    def crossed(self, used):
        return [t for t in self.thresholds if used * 100 >= self.hundredths * t]

    def shown(self, records, instant):
        """What `GET /budgets` shows in the minute of `instant`; numbers as fractions."""
        minute = instant - instant % 60_000_000
        at = min(instant, self.ends - 1) if self.ends else instant
        start, end = self.period(at)
        used = self.used((start, end), records)
        elapsed = min(fractions.Fraction(minute - start, end - start), fractions.Fraction(1))
        shown = {"name": self.name, "user_id": self.user, "team_id": self.team, "every": self.every,
                 "month_start": self.month_start if self.month_start != 1 else None, "tz": self.zone, "from": start, "to": end,
                 "credits": amount(self.hundredths), "used": amount(used), "remaining": amount(self.hundredths - used),
                 "percent": fractions.Fraction(used * 1000 // self.hundredths, 10),
                 "projected": amount(half_up(used / elapsed)) if elapsed >= fractions.Fraction(1, 100) else None,
                 "thresholds": self.thresholds, "crossed": self.crossed(used),
                 "ended": True if self.ends and self.ends <= instant else None}
        return {name: value for name, value in shown.items() if value is not None}


def amount(hundredths):
    return fractions.Fraction(hundredths, 100)


def half_up(value):
    return (2 * value + 1) // 2


def parsed(shown):
    """A budget of a response, with numbers as fractions and times in microseconds."""
    times = {name: microseconds(datetime.datetime.fromisoformat(shown[name])) for name in ("from", "to")}
    return {name: times.get(name, value) for name, value in shown.items()}
