;; What redaction does to every byte of a response, for which JavaScript has no instructions. How long it takes depends on the
;; text alone: nothing here looks at less of a secret than a whole window of it. prefilter.ts says what the tables hold.
(module
  ;; The places of all regions are in prefilter.ts. Behind a text there are 64 bytes of zeros, and before the first one, too.
  (memory (export "memory") 80)
  ;; Whether there is a zero in the text that was marked last, but for its last sixteen bytes.
  (global $zeros (export "zeros") (mut i32) (i32.const 0))

  ;; Marks the special bytes of the text that may matter, by place, four bytes each. Returns how many.
  ;;
  ;; Mispredicted branches dominate the cost here, so the loop does not branch on whether a block contains special bytes:
  ;; it always writes candidates and overwrites the unused ones.
  (func (export "mark")
    (param $text i32) (param $end i32) (param $specials i32) (param $places i32) (param $verdicts i32) (result i32)
    (local $table v128)
    (local $block v128)
    (local $least v128)
    (local $bits i32)
    (local $at i32)
    (local $list i32)
    (local $from i32)
    (local $place i32)
    (local $row i32)
    (local $verdict i32)
    (local.set $table (v128.load (local.get $specials)))
    (local.set $at (local.get $text))
    (local.set $list (local.get $places))
    (local.set $least (i8x16.splat (i32.const 0xff)))
    (local.set $block (local.get $least))

    (block $listed
      (loop $sixteen
        (br_if $listed (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $least (i8x16.min_u (local.get $least) (local.get $block)))
        (local.set $block (v128.load (local.get $at)))
        ;; A special byte is the one that the table has for its low four bits; `=` shares them with another.
        (local.set $bits
          (i8x16.bitmask
            (v128.or
              (i8x16.eq
                (local.get $block)
                (i8x16.swizzle (local.get $table) (v128.and (local.get $block) (i8x16.splat (i32.const 15)))))
              (i8x16.eq (local.get $block) (i8x16.splat (i32.const 0x3d))))))
        (local.set $from (local.get $list))
        (local.set $list
          (i32.add (local.get $list) (i32.shl (i32.popcnt (local.get $bits)) (i32.const 2))))
        ;; Two at once: more are seldom there.
        (loop $two
          (i32.store (local.get $from) (i32.add (local.get $at) (i32.ctz (local.get $bits))))
          (local.set $bits (i32.and (local.get $bits) (i32.sub (local.get $bits) (i32.const 1))))
          (i32.store offset=4 (local.get $from) (i32.add (local.get $at) (i32.ctz (local.get $bits))))
          (local.set $bits (i32.and (local.get $bits) (i32.sub (local.get $bits) (i32.const 1))))
          (local.set $from (i32.add (local.get $from) (i32.const 8)))
          (br_if $two (local.get $bits)))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (br $sixteen)))
    (global.set $zeros (i32.eqz (i8x16.all_true (local.get $least))))

    (local.set $from (local.get $places))
    (local.set $at (local.get $from))
    (block $checked
      (loop $one
        (br_if $checked (i32.ge_u (local.get $from) (local.get $list)))
        (local.set $place (i32.load (local.get $from)))
        (local.set $from (i32.add (local.get $from) (i32.const 4)))
        (local.set $row (i32.load8_u (local.get $place)))
        (local.set $row
          (i32.add
            (local.get $verdicts)
            (i32.shl
              (i32.and
                (i32.xor (local.get $row) (i32.shr_u (local.get $row) (i32.const 4)))
                (i32.const 15))
              (i32.const 8))))
        ;; The second byte, the third one, and the one before: each clears what it rules out.
        (local.set $verdict
          (i32.and
            (i32.and
              (i32.load8_u (i32.add (local.get $row) (i32.load8_u offset=1 (local.get $place))))
              (i32.load8_u offset=0x1000
                (i32.add (local.get $row) (i32.load8_u offset=2 (local.get $place)))))
            (i32.load8_u offset=0x2000
              (i32.add
                (local.get $verdicts)
                (i32.load8_u (i32.sub (local.get $place) (i32.const 1)))))))
        (i32.store (local.get $at) (i32.sub (local.get $place) (local.get $text)))
        (local.set $at
          (i32.add (local.get $at) (i32.shl (i32.ne (local.get $verdict) (i32.const 0)) (i32.const 2))))
        (br $one)))
    (i32.shr_u (i32.sub (local.get $at) (local.get $places)) (i32.const 2)))

  ;; Whether every second byte of some part of the text is zero, as in UTF-16 and UTF-32: all that is in eight bytes, which eight
  ;; characters fill, while zeros alone are nothing.
  (func (export "wide") (param $at i32) (param $end i32) (result i32)
    (local $block v128)
    (local $found v128)
    (local $whole i32)
    (local $eight i64)
    (local.set $whole (i32.sub (local.get $end) (i32.const 16)))
    (block $rest
      (loop $sixteen
        (br_if $rest (i32.gt_s (local.get $at) (local.get $whole)))
        (local.set $block (v128.load (local.get $at)))
        (local.set $found
          (v128.or
            (local.get $found)
            (v128.andnot
              (v128.or
                (i64x2.eq
                  (v128.and (local.get $block) (i16x8.splat (i32.const 0x00ff)))
                  (i64x2.splat (i64.const 0)))
                (i64x2.eq
                  (v128.and (local.get $block) (i16x8.splat (i32.const 0xff00)))
                  (i64x2.splat (i64.const 0))))
              (i64x2.eq (local.get $block) (i64x2.splat (i64.const 0))))))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (br $sixteen)))
    (if (v128.any_true (local.get $found)) (then (return (i32.const 1))))
    (if (i32.gt_s (i32.add (local.get $at) (i32.const 8)) (local.get $end)) (then (return (i32.const 0))))
    (local.set $eight (i64.load (local.get $at)))
    (i32.and
      (i64.ne (local.get $eight) (i64.const 0))
      (i32.or
        (i64.eqz (i64.and (local.get $eight) (i64.const 0xff00ff00ff00ff00)))
        (i64.eqz (i64.and (local.get $eight) (i64.const 0x00ff00ff00ff00ff))))))

  ;; Takes the zeros out of the text. Returns where it then ends.
  (func (export "narrow") (param $at i32) (param $end i32) (result i32)
    (local $out i32)
    (local $one i32)
    (local.set $out (local.get $at))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $one (i32.load8_u (local.get $at)))
        (i32.store8 (local.get $out) (local.get $one))
        (local.set $out (i32.add (local.get $out) (i32.ne (local.get $one) (i32.const 0))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (local.get $out))

  ;; Copies to a place before it, sixteen bytes at a time: up to fifteen bytes behind the copy are overwritten.
  (func $copy (param $from i32) (param $end i32) (param $to i32)
    (block $done
      (loop $sixteen
        (br_if $done (i32.ge_u (local.get $from) (local.get $end)))
        (v128.store (local.get $to) (v128.load (local.get $from)))
        (local.set $from (i32.add (local.get $from) (i32.const 16)))
        (local.set $to (i32.add (local.get $to) (i32.const 16)))
        (br $sixteen))))

  ;; A character that begins no escape, below the length of what it is written by; 0 for any other.
  (func $plain (param $code i32) (param $length i32) (param $tables i32) (result i32)
    (if (i32.gt_u (local.get $code) (i32.const 0x7f)) (then (return (i32.const 0))))
    (local.set $code (i32.load8_u offset=0x100 (i32.add (local.get $tables) (local.get $code))))
    (select
      (i32.or (local.get $code) (i32.shl (local.get $length) (i32.const 8)))
      (i32.const 0)
      (local.get $code)))

  ;; The same for two hexadecimal digits.
  (func $pair (param $at i32) (param $length i32) (param $tables i32) (result i32)
    (call $plain
      (i32.or
        (i32.shl (i32.load8_u (i32.add (local.get $tables) (i32.load8_u (local.get $at)))) (i32.const 4))
        (i32.load8_u (i32.add (local.get $tables) (i32.load8_u offset=1 (local.get $at)))))
      (local.get $length)
      (local.get $tables)))

  ;; The character that a usual escape stands for, below the length of the escape; 0 for anything else. Usual are those that
  ;; become a character which is part of no other escape.
  (func $usual (param $at i32) (param $tables i32) (result i32)
    (local $byte i32)
    (local $code i32)
    (local $length i32)
    (local $base i32)
    (local.set $byte (i32.load8_u (local.get $at)))
    (if (i32.eq (local.get $byte) (i32.const 0x5c))
      (then
        ;; `u00`
        (if (i32.eq (i32.and (i32.load offset=1 (local.get $at)) (i32.const 0xffffff)) (i32.const 0x303075))
          (then
            (return (call $pair (i32.add (local.get $at) (i32.const 4)) (i32.const 6) (local.get $tables)))))
        (local.set $code
          (i32.load8_u offset=0x200 (i32.add (local.get $tables) (i32.load8_u offset=1 (local.get $at)))))
        (return (select (i32.or (local.get $code) (i32.const 0x200)) (i32.const 0) (local.get $code)))))
    (if (i32.or (i32.eq (local.get $byte) (i32.const 0x25)) (i32.eq (local.get $byte) (i32.const 0x3d)))
      (then
        (return (call $pair (i32.add (local.get $at) (i32.const 1)) (i32.const 3) (local.get $tables)))))
    (if (i32.ne (local.get $byte) (i32.const 0x26)) (then (return (i32.const 0))))
    ;; `&lt;`, `&gt;`, `&quot;`
    (if (i32.eq (i32.load (local.get $at)) (i32.const 0x3b746c26)) (then (return (i32.const 0x43c))))
    (if (i32.eq (i32.load (local.get $at)) (i32.const 0x3b746726)) (then (return (i32.const 0x43e))))
    (if (i32.eq (i32.load (local.get $at)) (i32.const 0x6f757126))
      (then
        (if (i32.eq (i32.load16_u offset=4 (local.get $at)) (i32.const 0x3b74))
          (then (return (i32.const 0x622))))))
    (if (i32.ne (i32.load8_u offset=1 (local.get $at)) (i32.const 0x23)) (then (return (i32.const 0))))
    ;; `&#`, perhaps `x`, and a few digits
    (local.set $base (i32.const 10))
    (local.set $length (i32.const 2))
    (if (i32.eq (i32.or (i32.load8_u offset=2 (local.get $at)) (i32.const 0x20)) (i32.const 0x78))
      (then
        (local.set $base (i32.const 16))
        (local.set $length (i32.const 3))))
    (loop $digit
      (local.set $byte
        (i32.load8_u
          (i32.add
            (local.get $tables)
            (i32.load8_u (i32.add (local.get $at) (local.get $length))))))
      (if (i32.lt_u (local.get $byte) (local.get $base))
        (then
          (local.set $code (i32.add (i32.mul (local.get $code) (local.get $base)) (local.get $byte)))
          (local.set $length (i32.add (local.get $length) (i32.const 1)))
          (br_if $digit (i32.lt_u (local.get $length) (i32.const 6))))))
    (if (i32.ne (i32.load8_u (i32.add (local.get $at) (local.get $length))) (i32.const 0x3b))
      (then (return (i32.const 0))))
    (call $plain (local.get $code) (i32.add (local.get $length) (i32.const 1)) (local.get $tables)))

  ;; Where in the text the output from $out on begins and ends. Returns the place of the next note.
  (func $note (param $note i32) (param $out i32) (param $start i32) (param $end i32) (result i32)
    (i32.store (local.get $note) (local.get $out))
    (i32.store offset=4 (local.get $note) (local.get $start))
    (i32.store offset=8 (local.get $note) (local.get $end))
    (i32.add (local.get $note) (i32.const 12)))

  ;; Does what decoder.ts does, from where nothing that came depends on what follows up to the next escape that is not usual,
  ;; or to the end. In $state: how far it is in the text and in the output, the next place of the list, and the
  ;; next note, both as addresses.
  (func (export "decode")
    (param $text i32) (param $end i32) (param $output i32) (param $list i32) (param $notes i32) (param $tables i32)
    (param $state i32)
    (local $at i32)
    (local $out i32)
    (local $next i32)
    (local $note i32)
    (local $to i32)
    (local $usual i32)
    (local $fold i32)
    (local $byte i32)
    (local.set $at (i32.add (local.get $text) (i32.load (local.get $state))))
    (local.set $out (i32.add (local.get $output) (i32.load offset=4 (local.get $state))))
    (local.set $next (i32.load offset=8 (local.get $state)))
    (local.set $note (i32.load offset=12 (local.get $state)))
    (block $stop
      (loop $one
        ;; The next place of the list that is not behind.
        (local.set $to (local.get $end))
        (block $chosen
          (loop $skip
            (br_if $chosen (i32.ge_u (local.get $next) (local.get $list)))
            (local.set $byte (i32.add (local.get $text) (i32.load (local.get $next))))
            (local.set $next (i32.add (local.get $next) (i32.const 4)))
            (br_if $skip (i32.lt_u (local.get $byte) (local.get $at)))
            (local.set $to (local.get $byte))))

        ;; What is before it stands for itself, as may what came last.
        (if (i32.lt_u (local.get $at) (local.get $to))
          (then
            (block $goes_on
              (if (i32.gt_u (local.get $note) (local.get $notes))
                (then
                  (br_if $goes_on
                    (i32.and
                      (i32.eqz (i32.load (i32.sub (local.get $note) (i32.const 4))))
                      (i32.eq
                        (i32.sub
                          (i32.sub (local.get $at) (local.get $text))
                          (i32.load (i32.sub (local.get $note) (i32.const 8))))
                        (i32.sub
                          (i32.sub (local.get $out) (local.get $output))
                          (i32.load (i32.sub (local.get $note) (i32.const 12)))))))))
              (local.set $note
                (call $note
                  (local.get $note)
                  (i32.sub (local.get $out) (local.get $output))
                  (i32.sub (local.get $at) (local.get $text))
                  (i32.const 0))))
            (call $copy (local.get $at) (local.get $to) (local.get $out))
            (local.set $out (i32.add (local.get $out) (i32.sub (local.get $to) (local.get $at))))
            (local.set $at (local.get $to))))
        (br_if $stop (i32.ge_u (local.get $at) (local.get $end)))

        (local.set $usual (call $usual (local.get $at) (local.get $tables)))
        (if (i32.eqz (local.get $usual))
          (then
            ;; A fold, up to $to: line breaks and indents, and escaped breaks, the last of which is where it begins.
            (local.set $fold (local.get $at))
            (block $folded
              (loop $more
                (local.set $byte
                  (i32.load8_u offset=0x300
                    (i32.add (local.get $tables) (i32.load8_u (local.get $to)))))
                (if (i32.eq (local.get $byte) (i32.const 1))
                  (then
                    (local.set $to (i32.add (local.get $to) (i32.const 1)))
                    (br $more)))
                (br_if $folded (i32.ne (i32.load8_u (local.get $to)) (i32.const 0x5c)))
                (local.set $usual (i32.load8_u offset=1 (local.get $to)))
                (br_if $folded
                  (i32.and
                    (i32.ne (local.get $usual) (i32.const 0x6e))
                    (i32.ne (local.get $usual) (i32.const 0x72))))
                (br_if $stop (i32.gt_u (i32.sub (local.get $to) (local.get $fold)) (i32.const 64)))
                (local.set $fold (local.get $to))
                (local.set $to (i32.add (local.get $to) (i32.const 2)))
                (br $more)))
            (br_if $stop (i32.eq (local.get $to) (local.get $at)))
            (local.set $usual (i32.const 0))
            (if (i32.lt_u (local.get $to) (local.get $end))
              (then
                (if (local.get $byte)
                  (then
                    (local.set $usual (call $usual (local.get $to) (local.get $tables)))
                    (br_if $stop (i32.eqz (local.get $usual)))))
                (if (i32.gt_u (i32.sub (local.get $to) (local.get $fold)) (i32.const 64))
                  (then
                    ;; No secret goes on behind it.
                    (local.set $note
                      (call $note
                        (local.get $note)
                        (i32.sub (local.get $out) (local.get $output))
                        (i32.sub (local.get $fold) (local.get $text))
                        (i32.sub (local.get $to) (local.get $text))))
                    (i32.store8 (local.get $out) (i32.const 0x0a))
                    (local.set $out (i32.add (local.get $out) (i32.const 1))))
                  (else
                    (local.set $note
                      (call $note
                        (local.get $note)
                        (i32.sub (local.get $out) (local.get $output))
                        (i32.sub (local.get $fold) (local.get $text))
                        (i32.sub (local.get $to) (local.get $text))))))))
            (local.set $at (local.get $to))))

        (if (local.get $usual)
          (then
            (local.set $to
              (i32.add (local.get $at) (i32.shr_u (local.get $usual) (i32.const 8))))
            (local.set $note
              (call $note
                (local.get $note)
                (i32.sub (local.get $out) (local.get $output))
                (i32.sub (local.get $at) (local.get $text))
                (i32.sub (local.get $to) (local.get $text))))
            (i32.store8 (local.get $out) (local.get $usual))
            (local.set $out (i32.add (local.get $out) (i32.const 1)))
            (local.set $at (local.get $to))))
        (br $one)))
    (i32.store (local.get $state) (i32.sub (local.get $at) (local.get $text)))
    (i32.store offset=4 (local.get $state) (i32.sub (local.get $out) (local.get $output)))
    (i32.store offset=8 (local.get $state) (local.get $next))
    (i32.store offset=12 (local.get $state) (local.get $note)))

  ;; A hash of the window of $size bytes, 8 to 16: of its first eight and its last eight.
  (func $hash (param $at i32) (param $size i32) (result i64)
    (local $hash i64)
    (local.set $hash
      (i64.add
        (i64.mul (i64.load (local.get $at)) (i64.const 0x9e3779b97f4a7c15))
        (i64.mul
          (i64.rotl (i64.load (i32.sub (i32.add (local.get $at) (local.get $size)) (i32.const 8))) (i64.const 31))
          (i64.const 0xc2b2ae3d27d4eb4f))))
    (i64.mul
      (i64.xor (local.get $hash) (i64.shr_u (local.get $hash) (i64.const 29)))
      (i64.const 0xbf58476d1ce4e5b9)))

  ;; Puts every window between $at and $end into the filter: 16 bits of its hash into its bucket, which has room for eight.
  ;; Returns 0 where one is full.
  (func (export "insert")
    (param $at i32) (param $end i32) (param $size i32) (param $filter i32) (param $shift i32) (result i32)
    (local $hash i64)
    (local $mark i32)
    (local $slot i32)
    (local $last i32)
    (block $done
      (loop $next
        (br_if $done (i32.gt_u (i32.add (local.get $at) (local.get $size)) (local.get $end)))
        (local.set $hash (call $hash (local.get $at) (local.get $size)))
        (local.set $mark (i32.and (i32.wrap_i64 (i64.shr_u (local.get $hash) (i64.const 24))) (i32.const 0xffff)))
        (local.set $slot
          (i32.add
            (local.get $filter)
            (i32.shl (i32.wrap_i64 (i64.shr_u (local.get $hash) (i64.extend_i32_u (local.get $shift)))) (i32.const 4))))
        (local.set $last (i32.add (local.get $slot) (i32.const 14)))
        (block $put
          (loop $free
            (br_if $put (i32.eq (i32.load16_u (local.get $slot)) (local.get $mark)))
            (if (i32.eqz (i32.load16_u (local.get $slot)))
              (then
                (i32.store16 (local.get $slot) (local.get $mark))
                (br $put)))
            (if (i32.eq (local.get $slot) (local.get $last)) (then (return (i32.const 0))))
            (local.set $slot (i32.add (local.get $slot) (i32.const 2)))
            (br $free)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (i32.const 1))

  ;; The first sample from $at on that is in the filter and ends at or before $end; -1 where there is none. The hash is written
  ;; out here: a call would take as long as all the rest.
  (func (export "find")
    (param $at i32) (param $end i32) (param $size i32) (param $stride i32) (param $filter i32) (param $shift i32)
    (result i32)
    (local $hash i64)
    (local $wide i64)
    (local.set $wide (i64.extend_i32_u (local.get $shift)))
    (local.set $end (i32.sub (local.get $end) (local.get $size)))
    (local.set $size (i32.sub (local.get $size) (i32.const 8)))
    (block $done
      (loop $next
        (br_if $done (i32.gt_s (local.get $at) (local.get $end)))
        (local.set $hash
          (i64.add
            (i64.mul (i64.load (local.get $at)) (i64.const 0x9e3779b97f4a7c15))
            (i64.mul
              (i64.rotl (i64.load (i32.add (local.get $at) (local.get $size))) (i64.const 31))
              (i64.const 0xc2b2ae3d27d4eb4f))))
        (local.set $hash
          (i64.mul
            (i64.xor (local.get $hash) (i64.shr_u (local.get $hash) (i64.const 29)))
            (i64.const 0xbf58476d1ce4e5b9)))
        (if (v128.any_true
              (i16x8.eq
                (v128.load
                  (i32.add
                    (local.get $filter)
                    (i32.shl (i32.wrap_i64 (i64.shr_u (local.get $hash) (local.get $wide))) (i32.const 4))))
                (i16x8.splat (i32.wrap_i64 (i64.shr_u (local.get $hash) (i64.const 24))))))
          (then (return (local.get $at))))
        (local.set $at (i32.add (local.get $at) (local.get $stride)))
        (br $next)))
    (i32.const -1)))
