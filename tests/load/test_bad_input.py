"""Every bad Compose file gets a message with place, reason and remedy, and starts nothing."""

from __future__ import annotations

import pytest

from .conftest import Project

ONE = "services:\n  web:\n    image: app\n"


def test_no_compose_file(project: Project) -> None:
    assert project.refused() == (
        "ROOT: no Compose file here; looked for compose.yaml, compose.yml, docker-compose.yml,"
        " docker-compose.yaml\n"
        "  → run this in the folder with the Compose file, or name it with --file"
    )


def test_a_named_file_that_is_not_there(project: Project) -> None:
    text = project.refused(environ={"COMPOSE_FILE": "a.yml:b.yml"})
    assert "a Compose file is not there" in text
    assert "ROOT/a.yml: no such file" in text
    assert "ROOT/b.yml: no such file" in text


def test_yaml_syntax_shows_the_line(project: Project) -> None:
    project.compose("services:\n  web:\n    image: [app\n    ports: x\n")
    text = project.refused()
    assert text.startswith("docker-compose.yml:4:10: is not YAML: ")
    assert "    ports: x\n" in text
    assert text.splitlines()[-1].endswith("^")


def test_a_tab_is_shown_where_it_is(project: Project) -> None:
    project.compose("services:\n\tweb:\n")
    assert "docker-compose.yml:2:1: is not YAML: found character" in project.refused()


def test_ten_megabytes(project: Project) -> None:
    project.compose("# " + "x" * 10 * 1024 * 1024)
    assert project.refused() == (
        "docker-compose.yml: the file has 10.0 MiB; at most 1 MiB is read, because a Compose file"
        " of that size is a mistake or an attack\n"
        "  → move data out of it, into files that it mounts or includes"
    )


def test_an_included_file_of_ten_megabytes(project: Project) -> None:
    project.compose("include: [big.yml]\n" + ONE)
    project.write("big.yml", "# " + "x" * 10 * 1024 * 1024)
    assert project.refused().startswith("big.yml: the file has 10.0 MiB;")


def test_alias_bomb(project: Project) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    project.compose("\n".join(lines))
    text = project.refused()
    assert text.startswith("docker-compose.yml:6: aliases (`*name`) make this file stand for")
    assert "→ use fewer aliases of aliases" in text


def test_one_large_text_aliased_many_times(project: Project) -> None:
    project.compose(f"x-a: &a {'y' * 100_000}\nx-b: [{', '.join(['*a'] * 100)}]\n")
    assert "stand for over 8 MiB" in project.refused()


def test_an_alias_inside_its_own_anchor(project: Project) -> None:
    project.compose("x-a: &a\n  b: *a\n")
    assert project.refused() == "docker-compose.yml:2: '*a' stands inside its own anchor"


def test_an_alias_of_nothing(project: Project) -> None:
    project.compose("x-a: *nope\n")
    assert project.refused() == "docker-compose.yml:1: '*nope' has no anchor '&nope'"


def test_values_nested_too_deep(project: Project) -> None:
    project.compose("a: " + "[" * 500 + "]" * 500)
    assert "docker-compose.yml:1: values nest deeper than 64 levels" in project.refused()


def test_not_utf8(project: Project) -> None:
    (project.root / "compose.yaml").write_bytes(b"services: {a\xff: {}}\n")
    assert project.refused() == (
        "compose.yaml: byte 12 is not text in UTF-8\n  → save the file as UTF-8"
    )


def test_every_mistake_in_x_gear_at_once(project: Project) -> None:
    project.compose(
        """\
        x-gear:
          nmae: shop
          domains: [Shop.Example.com]
        services:
          web:
            image: app
            x-gear:
              prot: 8080
              port: 70000
              routes:
                - /ok
                - path: /api
                  stripp: true
              health: healthz
              rate-limit: 10/s
              cache: soon
          redis:
            image: redis:7
            x-gear: {keep: always, zzz: 1}
        """
    )
    assert project.refused().splitlines() == [
        "docker-compose.yml has 10 mistakes",
        "  docker-compose.yml:2 x-gear.nmae: unknown key 'nmae'; did you mean 'name'?",
        (
            "  docker-compose.yml:3 x-gear.domains[0]: 'Shop.Example.com' is not a host name"
            " such as shop.example.com or *.example.com, in lower case"
        ),
        "  docker-compose.yml:8 services.web.x-gear.prot: unknown key 'prot'; did you mean 'port'?",
        (
            "  docker-compose.yml:9 services.web.x-gear.port: 70000 is not a whole number"
            " from 1 to 65535"
        ),
        (
            "  docker-compose.yml:13 services.web.x-gear.routes[1].stripp: unknown key 'stripp';"
            " did you mean 'strip'?"
        ),
        (
            "  docker-compose.yml:14 services.web.x-gear.health: 'healthz' is not a URL path that"
            " starts with '/'"
        ),
        (
            "  docker-compose.yml:15 services.web.x-gear.rate-limit: unknown key 'rate-limit';"
            " did you mean 'rate_limit'?"
        ),
        (
            "  docker-compose.yml:16 services.web.x-gear.cache: 'soon' is not a duration such as"
            " 10s, 5m or 1h30m"
        ),
        "  docker-compose.yml:19 services.redis.x-gear.keep: 'always' is not evict or durable",
        "  docker-compose.yml:19 services.redis.x-gear.zzz: unknown key 'zzz'",
        (
            "    → the keys here are cache, check, embedded, health, keep, port, rate_limit,"
            " release, role, routes, schedule, static"
        ),
    ]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("[1]", "x-gear: [1] is not a mapping with the keys role, port,"),
        ("web", "x-gear: 'web' is not a mapping with the keys"),
        ("{port: http}", "x-gear.port: 'http' is not a whole number from 1 to 65535"),
        ("{port: 80.5}", "x-gear.port: 80.5 is not a whole number from 1 to 65535"),
        ("{port: true}", "x-gear.port: true is not a whole number from 1 to 65535"),
        ("{role: wep}", "is not edge, web, worker, job, database, cache or other"),
        ("{routes: /}", "x-gear.routes: '/' is not a list of a URL path that starts with '/'"),
        ("{routes: [{strip: true}]}", "x-gear.routes[0]: the key 'path' is missing: a URL path"),
        ("{routes: [[/]]}", "x-gear.routes[0]: ['/'] is not a URL path that starts with '/' or a"),
        ("{static: {assets: a}}", "x-gear.static.assets: 'assets' is not a URL path that starts"),
        ("{release: {a: b}}", "x-gear.release: {'a': 'b'} is not text or a list of text"),
        ("{rate_limit: 10}", "x-gear.rate_limit: 10 is not a rate such as 10/s or 5/m"),
        ('{health: "/a\\n"}', "x-gear.health: '/a\\n' is not a URL path that starts with '/'"),
        ("{schedule: daily}", "'daily' is not a cron expression: it needs five fields"),
        ('{schedule: "61 * * * *"}', "'61 * * * *' is not a cron expression: "),
        ("{embedded: {comand: x}}", "unknown key 'comand'; did you mean 'command'?"),
        ("{static: {/a: ../x}}", "the static folder '../x' is outside the repository"),
        ("{keep: evict}", "`keep` is for Redis, and 'web' is a other service"),
    ],
)
def test_a_wrong_value_in_x_gear(project: Project, value: str, said: str) -> None:
    project.compose(f"{ONE}    x-gear: {value}\n")
    text = project.refused()
    assert said in text
    assert "docker-compose.yml:4 services.web.x-gear" in text


def test_a_variable_in_x_gear_may_give_a_number(project: Project) -> None:
    project.compose(f"{ONE}    x-gear: {{port: '${{P:-8000}}'}}\n")
    assert project.load().app.services["web"].port == 8000


SET = "    → set {0} in .env or in the environment (`{0}=` for nothing), or write ${{{0}:-default}}"


def test_all_missing_variables_with_every_use(project: Project) -> None:
    project.compose(
        """\
        services:
          web:
            image: "app:${TAG}"
            environment:
              A: $KEY
              B: "${KEY} $$NOT ${OTHER:-fine} ${NESTED:-${INNER}}"
            command: |
              echo one
              echo ${SCRIPT}
        """
    )
    assert project.refused().splitlines() == [
        "4 variables have no value",
        "  docker-compose.yml:3 services.web.image: the variable TAG is not set",
        SET.format("TAG"),
        (
            "  docker-compose.yml:5 services.web.environment.A: the variable KEY is not set"
            " (also at docker-compose.yml:6 services.web.environment.B)"
        ),
        SET.format("KEY"),
        "  docker-compose.yml:6 services.web.environment.B: the variable INNER is not set",
        SET.format("INNER"),
        "  docker-compose.yml:9 services.web.command: the variable SCRIPT is not set",
        SET.format("SCRIPT"),
    ]


def test_required_variables_are_told_with_the_others(project: Project) -> None:
    project.compose(
        "services:\n  web:\n    image: '${A:?}'\n    user: '${B?say who}'\n    command: $C $D\n"
    )
    project.write(".env", "A=\nD=1\n")
    text = project.refused()
    assert "docker-compose.yml:3 services.web.image: the variable A is empty" in text
    assert "docker-compose.yml:4 services.web.user: the variable B is not set" in text
    assert "docker-compose.yml:5 services.web.command: the variable C is not set" in text
    assert "variable D" not in text


def test_an_empty_variable_is_fine(project: Project) -> None:
    project.compose(f"{ONE}    environment: {{A: '$A', B: '$B'}}\n")
    project.write(".env", "A=\n")
    loaded = project.load(environ={"B": ""})
    assert loaded.app.services["web"].environment == {"A": "", "B": ""}


def test_variables_of_a_service_in_another_profile_do_not_matter(project: Project) -> None:
    project.compose(f"{ONE}  extra: {{image: '$NOPE', profiles: [x]}}\n")
    assert list(project.load().app.services) == ["web"]
    assert "the variable NOPE is not set" in project.refused(profiles=("x",))


def test_a_dollar_in_an_env_file_is_told(project: Project) -> None:
    project.compose(f"{ONE}    env_file: app.env\n")
    project.write("app.env", "A=1\nPASSWORD=sec$ret\n")
    text = project.refused()
    assert text.splitlines() == [
        "app.env:2: the variable ret is not set",
        "  → put the value in single quotes when the dollar sign belongs to it, or set ret",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "services:\n  web:\n    image: x\n    prots: [1]\n",
            "docker-compose.yml:4 services.web.prots: unknown key 'prots'; did you mean 'ports'?",
        ),
        (
            "servces:\n  web: {image: x}\n",
            "docker-compose.yml:1 servces: unknown key 'servces'; did you mean 'services'?",
        ),
        (
            "services:\n  web: {image: x}\n  web: {image: y}\n",
            "docker-compose.yml:3: the key 'web' stands twice; the first is in line 2",
        ),
        (
            "services:\n  web: {image: x, depends_on: [pg]}\n",
            (
                "docker-compose.yml:2 services.web.depends_on.pg: the service 'web' uses the"
                " service 'pg', which is not in the file"
            ),
        ),
        (
            "services:\n  web:\n    image: x\n    depends_on: [postgrse]\n  postgres: {image: y}\n",
            "which is not in the file; did you mean 'postgres'?",
        ),
        (
            "services:\n  web:\n    image: x\n    volumes: ['data:/x']\n",
            (
                "docker-compose.yml:4 services.web.volumes.data: the service 'web' uses the volume"
                " 'data', which is not in the file"
            ),
        ),
        (
            "services:\n  web:\n    environment: {A: b}\n",
            "docker-compose.yml:2 services.web: the service 'web' has neither `image:` nor",
        ),
        (
            "services:\n  web: {image: x, depends_on: [db]}\n  db: {image: y, depends_on: [web]}\n",
            (
                "docker-compose.yml:2 services.web.depends_on: services wait for each other:"
                " web -> db -> web (docker-compose.yml:2, docker-compose.yml:3)"
            ),
        ),
        (
            "services:\n  web:\n    image: x\n    environment: 3\n",
            "docker-compose.yml:4 services.web.environment: must be a mapping",
        ),
        (
            "services:\n  web:\n    image: x\n    stop_grace_period: soon\n",
            "docker-compose.yml:4 services.web.stop_grace_period: time: invalid duration",
        ),
        (
            "services:\n  web:\n    image: x\n    deploy: {replicas: many}\n",
            "docker-compose.yml:4 services.web.deploy.replicas: 'many' is not a whole number",
        ),
        (
            "services:\n  web:\n    image: '${A'\n",
            "docker-compose.yml:3 services.web.image: '${A' is not a variable",
        ),
        (
            "services:\n  web:\n    image: x\n    env_file: nope.env\n",
            "docker-compose.yml:4 services.web.env_file: the env_file ROOT/nope.env is not there",
        ),
        (
            "services:\n  web:\n    image: x\n    extends: base\n",
            "docker-compose.yml:4 services.web.extends: there is no service 'base' to extend",
        ),
        (
            "services:\n  web:\n    image: x\n    extends: web\n",
            "docker-compose.yml:4 services.web.extends: the service 'web' extends itself",
        ),
        (
            "include: [nope.yml]\nservices: {}\n",
            "docker-compose.yml:1 include[0]: the file ROOT/nope.yml is not there",
        ),
        (
            "services:\n  web:\n    image: x\n    environment: {A: 2020-01-01}\n",
            (
                "docker-compose.yml:4 services.web.environment.A: this is read as a date\n"
                "  → put it in quotes"
            ),
        ),
        ("[]\n", "docker-compose.yml: top-level object must be a mapping"),
        ("", "docker-compose.yml: empty compose file"),
        ("services: {}\n", "docker-compose.yml:1 services: there is no service"),
        (
            "services:\n  web: {image: x, profiles: [a]}\n",
            "docker-compose.yml:1 services: every service is in a profile",
        ),
        ("services:\n  'we b': {image: x}\n", "docker-compose.yml:2 services.'we b': 'we b' is"),
        (
            "services:\n  web:\n    image: x\n    volumes: ['v:/x']\n",
            "docker-compose.yml:4 services.web.volumes[0].target: 'v:/x' must be an absolute path",
        ),
    ],
)
def test_what_compose_itself_refuses(project: Project, text: str, said: str) -> None:
    project.compose(text)
    assert said in project.refused()


@pytest.mark.parametrize("name", ["..", ".", "-rf", ".hidden", "a" * 64])
def test_unsafe_service_names(project: Project, name: str) -> None:
    project.compose(f"services:\n  '{name}': {{image: x}}\n")
    text = project.refused()
    assert text.startswith("docker-compose.yml:2 services.")
    assert "is not a safe service name" in text or "has 64 characters" in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("secrets: {'..': {file: a}, a: {file: b}}", "'..' is not a safe secret name"),
        ("configs: {'..': {content: a}, a: {content: b}}", "'..' is not a safe config name"),
        ("x-gear: {name: 'a/b'}", "x-gear.name: 'a/b' is not lower-case letters, digits and '-'"),
        ("x-gear: {domains: ['a;b']}", "x-gear.domains[0]: 'a;b' is not a host name such as"),
        (
            "configs: {'..': {content: a}, a: {external: true}}",
            "this config has no source that Geartrain can read",
        ),
        (
            "secrets: {'..': {file: a}, a: {external: true, name: a-b}}",
            "'a-b' cannot be the name of a secret kept elsewhere",
        ),
    ],
)
def test_other_unsafe_names(project: Project, text: str, said: str) -> None:
    key = text.split(":")[0]
    given = f"    {key}: ['..', a]\n" if key in ("secrets", "configs") else ""
    project.compose(f"{ONE}{given}{text}\n")
    assert said in project.refused()


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("image: 'a b'", "services.web.image: 'a b' is not an image name"),
        ("image: 'x;rm'", "services.web.image: 'x;rm' is not an image name"),
        ("{image: x, container_name: shop-web}", ""),
        ("{image: x, hostname: 'a b'}", "'a b' is not a safe host name"),
        ("{image: x, links: ['web2:a b']}", "'a b' is not a safe host name"),
        ("{image: x, networks: {default: {aliases: ['a;b']}}}", "'a;b' is not a safe host name"),
    ],
)
def test_unsafe_images_and_aliases(project: Project, key: str, said: str) -> None:
    web = key if key.startswith("{") else f"{{{key}}}"
    project.compose(f"services:\n  web: {web}\n  web2: {{image: x}}\n")
    if said:
        assert said in project.refused()
    else:
        assert project.load().app.services["web"].aliases == ("shop-web",)


def test_names_that_differ_in_case_only(project: Project) -> None:
    project.compose("services:\n  web: {image: x}\n  Web: {image: y}\n")
    assert "the services 'web' and 'Web' differ in case only" in project.refused()


def test_variables_of_variables_in_dot_env(project: Project) -> None:
    lines = ["A0=xxxxxxxxxx", *(f"A{n}=$A{n - 1}$A{n - 1}" for n in range(1, 40))]
    project.write(".env", "\n".join(lines))
    project.compose(f"{ONE}    command: $A39\n")
    assert project.refused() == ".env: variables of variables grow out of hand"


def test_a_long_variable_used_many_times(project: Project) -> None:
    project.write(".env", f"A={'x' * 100_000}\n")
    project.compose(f"{ONE}    command: {'$A' * 1000}\n")
    assert "docker-compose.yml: variables, env files and `extends` make" in project.refused()


def test_a_long_service_extended_many_times(project: Project) -> None:
    many = "".join(f"  a{n}: {{extends: web}}\n" for n in range(1000))
    project.compose(f"{ONE}    command: {'x' * 100_000}\n{many}")
    assert "stand for over 32 MiB" in project.refused()


def test_all_missing_env_files_and_their_examples(project: Project) -> None:
    project.compose(
        """\
        services:
          web: {image: x, env_file: [.env.web, {path: ./env/app.env}]}
          db: {image: x, env_file: [{path: local.env, required: false}, {path: db.env}]}
          idle: {image: x, env_file: idle.env, profiles: [idle]}
        """
    )
    project.write(".env.web.sample", "A=1\n")
    project.write("env/app.example.env", "A=1\n")
    project.write("dbx.env.example", "A=1\n")
    first, *lines = project.refused().splitlines()
    assert first == "3 env files are not there"
    at = "  docker-compose.yml"
    look = "and look through it; or say `required: false`"
    assert lines == [
        f"{at}:2 services.web.env_file[0]: the env_file ROOT/.env.web is not there",
        f"    → cp .env.web.sample .env.web (in ROOT), {look}",
        f"{at}:2 services.web.env_file[1].path: the env_file ROOT/env/app.env is not there",
        f"    → cp app.example.env app.env (in ROOT/env), {look}",
        f"{at}:3 services.db.env_file[1].path: the env_file ROOT/db.env is not there",
        "    → make it; or say `required: false`",
    ]


def test_the_example_of_a_dot_env_is_named(project: Project) -> None:
    project.compose("services:\n  web: {image: '$A', command: '$B'}\n")
    project.write(".env.example", "A=1\n")
    assert project.refused().endswith("\n  → cp .env.example .env, and look through it")
    project.write(".env", "A=x\n")
    assert "cp .env.example" not in project.refused()


def test_an_env_file_given_to_many(project: Project) -> None:
    project.write("app.env", f"A={'x' * 100_000}\n")
    many = "".join(f"  a{n}: {{image: x, env_file: app.env}}\n" for n in range(1000))
    project.compose(ONE + many)
    assert "stand for over 32 MiB" in project.refused()


def test_ranges_of_ports(project: Project) -> None:
    project.compose(f"{ONE}    ports: ['1-65535:1-65535']\n")
    assert project.refused() == (
        "docker-compose.yml: ranges of ports stand for over 10000 ports\n"
        "  → publish the ports that are used"
    )
