"""Gajim's settings for one account, made with Gajim's own code: DIRECTORY JID PASSWORD PORT."""

import sys

from gajim.common import configpaths

directory, jid, password, port = sys.argv[1:]
configpaths.set_config_root(directory)
configpaths.init()
configpaths.create_paths()

from gajim.common import app  # pylint: disable=wrong-import-position
from gajim.common.settings import Settings  # pylint: disable=wrong-import-position

app.settings = Settings()
app.settings.init()
app.settings.set_app_setting("use_keyring", False)
app.settings.set_app_setting("remote_control", True)
name, _, domain = jid.partition("@")
app.settings.add_account(name)
for key, value in {
        "name": name, "hostname": domain, "password": password, "savepass": True, "active": True, "autoconnect": True,
        "use_custom_host": True, "custom_host": "127.0.0.1", "custom_port": int(port), "autoauth": True}.items():
    app.settings.set_account_setting(name, key, value)
app.settings.save()
