#!/bin/sh
# Sends a line of text from anything that runs commands: a build, cron, a monitor.
#
#   notify.sh EVENT to=USER TEXT
#   notify.sh EVENT group=GROUP TEXT
#
# EVENT (1 to 64 bytes) names what happened.  The same EVENT again is the same message, so
# the script may be repeated until it succeeds, and the message arrives once.
set -eu

: "${WSMSG_HTTP:=http://127.0.0.1:21004}"
: "${WSMSG_API_KEY:?is the secret of a key with the scope send: wsmsg key new NAME --scopes send}"
: "${WSMSG_FROM:?is the user in whose name the line is sent}"

if [ $# -ne 3 ]; then
    echo "usage: notify.sh EVENT to=USER|group=GROUP TEXT" >&2
    exit 2
fi

# jq escapes the text, whatever is in it.
jq --null-input --arg event "$1" --arg from "$WSMSG_FROM" --arg text "$3" \
    --arg kind "${2%%=*}" --arg target "${2#*=}" \
    '{client_id: $event, from: $from, ($kind): $target, content: $text, repeat: true}' |
    curl --fail-with-body --silent --show-error \
        --retry 6 --retry-connrefused --max-time 120 \
        --header "Authorization: Bearer $WSMSG_API_KEY" \
        --header "Content-Type: application/json" \
        --data-binary @- "$WSMSG_HTTP/api/v1/messages"
