"""Pages and command of experiments: computed, refused with the number needed, started, read, stopped."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from click.testing import CliRunner
from django.test import Client
from django.urls import reverse

from saldo.collection.models import Experiment, ExperimentEnd
from saldo.core.playbook_text import parse
from saldo.identity.models import User
from saldo.interfaces.commands.main import main
from saldo.interfaces.web.playbook_form import form_of, form_posted, text_of
from tests.experiment_world import DAY, PLAYBOOK, SALT, World

pytestmark = pytest.mark.django_db
FORM = {"of": "prova/promemoria", "effect": "50", "horizon": "14", "enroll": "30"}


@pytest.fixture(autouse=True)
def same_lot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("saldo.collection.experiment_changes.secrets.token_hex", lambda size: SALT)


def login(name: str) -> Client:
    client = Client(headers={"Accept-Language": "it"})
    client.force_login(User.objects.get(username=name))
    return client


def body(client: Client, name: str, *args: int, **query: str) -> str:
    response = client.get(reverse(name, args=args), query)
    assert response.status_code == 200, (name, response.status_code)
    return response.content.decode()


def test_from_the_form_to_what_it_shows(db: None) -> None:
    world = World(24)
    world.run(DAY)
    anna = login("anna")
    assert "promemoria" in body(anna, "experiments").casefold()
    told = body(anna, "experiment_new", **FORM)
    # Fifty in each of two arms, and 24 customers.
    assert "100" in told and "24" in told and "Avvia" not in told
    refused = anna.post(reverse("experiment_new"), FORM)
    assert refused.status_code == 422 and "100" in refused.content.decode()
    assert not Experiment.objects.exists()
    for wrong in ({"effect": "molto"}, {"effect": "nan"}, {"horizon": "1e999"}, {"enroll": "-1"}):
        assert "non ha senso" in body(anna, "experiment_new", **(FORM | wrong))
    assert "playbook" in body(anna, "experiment_new", of="niente/mai").casefold()
    carla = login("carla")
    assert carla.get(reverse("experiments")).status_code == 200
    assert carla.get(reverse("experiment_new")).status_code == 403

    number = world.begin()
    world.run(DAY + timedelta(days=1))
    told = body(anna, "experiment", number)
    assert "oggetto" in told and "troppo presto" in told
    assert body(anna, "experiment_stop", number)
    assert carla.post(reverse("experiment_stop", args=[number])).status_code == 403
    done = anna.post(reverse("experiment_stop", args=[number]), {"reason": "decided", "note": "basta"})
    assert done.status_code == 302
    end = ExperimentEnd.objects.get()
    assert (end.reason, end.note, end.actor) == ("decided", "basta", "anna")
    assert "fermato" in body(anna, "experiment", number) and "fermato" in body(anna, "experiments")
    assert anna.get(reverse("experiment", args=[number + 1])).status_code == 404


def test_the_form_of_a_playbook_keeps_its_arms(db: None) -> None:
    playbook = parse(PLAYBOOK)
    form = form_of(playbook, "it")
    assert parse(text_of(form)) == playbook
    world = World(0)
    page = login("anna").get(reverse("playbook_edit", args=["prova"])).content.decode()
    assert "s0-arm0-subject_it" in page and "s0-arm1-code" in page, "and one more to fill in"
    from django.http import QueryDict

    posted = QueryDict(mutable=True)
    posted.update({"code": "prova", "order": "1", "steps": "1"})
    posted.update({f"s0-{key}": value for key, value in form.steps[0].values.items()})
    posted.update({f"s0-arm0-{key}": value for key, value in form.steps[0].arms[0].items()})
    posted.update({"s0-arm1-code": "dopo", "s0-arm1-shift_days": "3"})
    posted.update({f"{of}_{each}": "x" for of in ("title", "segment_title") for each in ("it", "en")})
    posted.update({"segment_code": "tutti"})
    arms = parse(text_of(form_posted(posted))).steps[0].arms
    assert arms[0] == playbook.steps[0].arms[0] and (arms[1].code, arms[1].shift_days) == ("dopo", 3)
    assert world.items == {}


def test_the_command_says_the_same(db: None) -> None:
    world = World(24)
    run = CliRunner().invoke
    day = ["--as-of", DAY.isoformat(), "--company", "ONE"]
    size = run(main, ["experiment", "size", "prova", "promemoria", "--effect", "50", "--json", *day])
    told = json.loads(size.stdout)
    assert (told["needed"], told["found"], told["is_enough"]) == (100, 24, False)
    few = run(main, ["experiment", "start", "prova", "promemoria", "--effect", "50", *day])
    assert few.exit_code == 2 and "100" in few.stderr
    number = world.begin()
    world.run(DAY)
    read = json.loads(run(main, ["experiment", "read", str(number), "--json", *day]).stdout)
    assert [arm["arm"] for arm in read["arms"]] == ["control", "oggetto"]
    assert sum(arm["entered"] for arm in read["arms"]) == 24 and read["is_applied"]
    listed = json.loads(run(main, ["experiment", "list", "--json", *day]).stdout)
    assert listed["experiments"][0]["state"] == "enrolling"
    assert listed["steps"] == [{"playbook": "prova", "step": "promemoria", "arms": ["oggetto"]}]
    assert "paid" in run(main, ["experiment", "read", str(number), *day]).stdout
    stopped = run(main, ["experiment", "stop", str(number), "--decided", "--as-of", DAY.isoformat()])
    assert stopped.exit_code == 0 and ExperimentEnd.objects.get().reason == "decided"
