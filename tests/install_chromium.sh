#!/bin/sh
# The browser tests need a system Chromium. As root on Debian it is installed; elsewhere those tests are skipped, loudly.
for name in chromium chromium-browser google-chrome google-chrome-stable; do
  command -v "$name" >/dev/null 2>&1 && exit 0
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "Installing Chromium for the browser tests"
  if (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium) >/dev/null 2>&1; then
    exit 0
  fi
fi
echo "WARNING: no Chromium here and none could be installed: the browser tests will be SKIPPED." >&2
