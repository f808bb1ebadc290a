"""A program as people write it for Vault: the `hvac` package, with nothing but VAULT_ADDR and VAULT_TOKEN."""

import os

import hvac
from hvac.exceptions import Forbidden, InvalidPath, InvalidRequest

client = hvac.Client(url=os.environ["VAULT_ADDR"], token=os.environ["VAULT_TOKEN"])
kv = client.secrets.kv.v2


def raises(error, call, *args, **named):
    try:
        call(*args, **named)
    except error as raised:
        return str(raised)
    raise AssertionError(f"{error.__name__} expected")


# The health of the server, and the token.
assert client.sys.is_initialized() and not client.sys.is_sealed()
health = client.sys.read_health_status(method="GET")
assert health["initialized"] and not health["sealed"], health
assert client.is_authenticated()
own = client.auth.token.lookup_self()["data"]
assert own["type"] == "service" and own["ttl"] > 60 and own["expire_time"], own
assert os.environ["VAULT_TOKEN"] not in str(own)
assert client.lookup_token(os.environ["VAULT_TOKEN"])["data"]["accessor"] == own["accessor"]
renewed = client.auth.token.renew_self(increment="1h")["auth"]
assert renewed["client_token"] == os.environ["VAULT_TOKEN"] and renewed["lease_duration"] > 60
raises(Forbidden, hvac.Client(url=client.url, token="wrong").auth.token.lookup_self)
assert not hvac.Client(url=client.url, token="wrong").is_authenticated()

# A key that another interface wrote.
native = kv.read_secret_version(path="dev/native", raise_on_deleted_version=True)["data"]
assert native["data"] == {"value": "sk-native"}, native
assert native["metadata"]["custom_metadata"]["team"] == "a", native

# Versions.
written = kv.create_or_update_secret(path="dev/app", secret={"api_key": "one", "base_url": "https://a"}, cas=0)
assert written["data"]["version"] == 1 and written["data"]["deletion_time"] == "", written
assert "check-and-set" in raises(InvalidRequest, kv.create_or_update_secret, path="dev/app", secret={"a": "b"}, cas=0)
assert "check-and-set" in raises(InvalidRequest, kv.create_or_update_secret, path="dev/app", secret={"a": "b"}, cas=7)
kv.create_or_update_secret(path="dev/app", secret={"api_key": "two", "base_url": "https://b"}, cas=1)
kv.patch(path="dev/app", secret={"base_url": "https://c"})
read = kv.read_secret_version(path="dev/app", raise_on_deleted_version=True)["data"]
assert read["data"] == {"api_key": "two", "base_url": "https://c"} and read["metadata"]["version"] == 3, read
first = kv.read_secret_version(path="dev/app", version=1, raise_on_deleted_version=True)["data"]
assert first["data"]["api_key"] == "one", first
raises(InvalidPath, kv.patch, path="dev/nothing", secret={"a": "b"})
assert "string" in raises(InvalidRequest, kv.create_or_update_secret, path="dev/app", secret={"nested": {"a": 1}})

# Deleting and undeleting.
kv.delete_latest_version_of_secret(path="dev/app")
raises(InvalidPath, kv.read_secret_version, path="dev/app", raise_on_deleted_version=True)
deleted = kv.read_secret_version(path="dev/app", raise_on_deleted_version=False)
assert deleted["data"]["data"] is None and deleted["data"]["metadata"]["deletion_time"], deleted
kv.undelete_secret_versions(path="dev/app", versions=[3])
assert kv.read_secret_version(path="dev/app", raise_on_deleted_version=True)["data"]["metadata"]["version"] == 3
kv.delete_secret_versions(path="dev/app", versions=[1, 2])
kv.destroy_secret_versions(path="dev/app", versions=[1])
metadata = kv.read_secret_metadata(path="dev/app")["data"]
assert metadata["current_version"] == 3, metadata
assert metadata["versions"]["1"]["destroyed"] and not metadata["versions"]["2"]["destroyed"], metadata
assert metadata["versions"]["2"]["deletion_time"] and metadata["versions"]["3"]["deletion_time"] == "", metadata
assert "current version" in raises(InvalidRequest, kv.destroy_secret_versions, path="dev/app", versions=[3])

# Metadata, lists, and the end.
kv.update_metadata(path="dev/app", custom_metadata={"team": "b"})
assert kv.read_secret_metadata(path="dev/app")["data"]["custom_metadata"]["team"] == "b"
assert "max_versions" in raises(InvalidRequest, kv.update_metadata, path="dev/app", max_versions=3)
assert kv.read_configuration()["data"]["cas_required"] is False
assert kv.list_secrets(path="")["data"]["keys"] == ["dev/"]
assert kv.list_secrets(path="dev")["data"]["keys"] == ["app", "native"]
kv.delete_metadata_and_all_versions(path="dev/app")
raises(InvalidPath, kv.read_secret_metadata, path="dev/app")
raises(Forbidden, kv.read_secret_version, path="prod/secret", raise_on_deleted_version=True)

# Tokens.
child = client.auth.token.create(policies=["keys:read"], ttl="10m", display_name="child")["auth"]
narrow = hvac.Client(url=client.url, token=child["client_token"])
assert narrow.secrets.kv.v2.read_secret_version(path="dev/native", raise_on_deleted_version=True)["data"]["data"] == {
    "value": "sk-native"
}
raises(Forbidden, narrow.secrets.kv.v2.create_or_update_secret, path="dev/native", secret={"value": "x"})
assert child["accessor"] in client.auth.token.list_accessors()["data"]["keys"]
assert client.auth.token.lookup_accessor(child["accessor"])["data"]["id"] == ""
client.auth.token.renew_accessor(child["accessor"])
client.auth.token.revoke_accessor(child["accessor"])
assert not narrow.is_authenticated()
other = client.auth.token.create(policies=["keys:read"])["auth"]["client_token"]
client.auth.token.revoke(other)
last = hvac.Client(url=client.url, token=client.auth.token.create(policies=["keys:read"])["auth"]["client_token"])
last.auth.token.revoke_self()
assert not last.is_authenticated()
print("hvac: done")
