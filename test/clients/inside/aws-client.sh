# BUCKET
set -eu
export HOME=/tmp
cd "$(mktemp -d)"
# Debian's, not another one on the path.
aws() { /usr/bin/aws "$@"; }
printf 'a report' > report
aws s3 cp report "s3://$1/dir/report" --only-show-errors
test "$(aws s3 cp "s3://$1/dir/report" -)" = 'a report'
listed=$(aws s3 ls "s3://$1/dir/" | wc -l)
head -c 67108864 /dev/urandom > big
aws s3 cp big "s3://$1/big" --only-show-errors
aws s3 cp "s3://$1/big" back --only-show-errors
cmp big back
test "$(curl -sS "$(aws s3 presign "s3://$1/dir/report")")" = 'a report'
echo "$listed object, 64 MiB in parts and back, presigned"
