# Prints the server's users: `sh users.sh FOLDER > users.acl`, where FOLDER has the file NAME_password
# of each. A password may have any characters, as only its hash is written.
#
# default   people with redis-cli and `weir`, and whoever says no name: all but administration
# publisher adds entries to the streams of WEIR_PATTERN, and reads nothing
# reader    reads everything, and writes nothing
# worker    what `weir worker` does
# exporter  what `weir exporter` asks
set -euf
folder=$1

# user NAME RULES
user() {
  hash=$(head -n 1 "$folder/$1_password" | tr -d '\r\n' | sha256sum | cut -d ' ' -f 1)
  echo "user $1 reset on #$hash -@all +ping +hello +auth +select +client|setinfo +client|setname $2"
}

inputs=""
for pattern in $(echo "${WEIR_PATTERN:-live:*}" | tr ',' ' '); do inputs="$inputs ~$pattern"; done

# A script's keys count as written to; what it may do with them is said by the commands it may use.
scripts="+evalsha +eval +script|load +script|exists"
user default "~* &* +@all -@admin -@dangerous +info"
user publisher "$inputs ~weir:*:published +xadd +hget +hset +hgetall +hdel +expire +time $scripts"
user reader "~* +@read +info +time -keys $scripts"
user worker "~* &* +@all -@admin -@dangerous +info"
user exporter "~* +scan +info +time +hmget +type +exists +get +xrange +xrevrange +xinfo $scripts"
