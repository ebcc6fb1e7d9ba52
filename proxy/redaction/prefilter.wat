;; Finds what may be part of a secret pattern, sixteen bytes at a time, for which JavaScript has no instructions: byte by byte, this
;; would take longer than all else that is done with a response. prefilter.ts says what the tables hold.
(module
  ;; From 0 the text, from 0x4000 the special bytes, each at the place of its low four bits, from 0x5000 the places that
  ;; `mark` found, two bytes each, from 0xe000 for each set of secret patterns: two tables of verdicts, the alphabet, the gram filter.
  (memory (export "memory") 1)

  (func $gram_at (param $place i32) (param $filter i32) (param $shift i32) (result i32)
    (local $gram i32)
    (local.set $gram (i32.load (local.get $place)))
    (local.set $gram
      (i32.shr_u
        (i32.mul
          (i32.xor (local.get $gram) (i32.shr_u (local.get $gram) (i32.const 15)))
          (i32.const 0x9e3779b1))
        (local.get $shift)))
    (i32.and
      (i32.shr_u
        (i32.load8_u (i32.add (local.get $filter) (i32.shr_u (local.get $gram) (i32.const 3))))
        (i32.and (local.get $gram) (i32.const 7)))
      (i32.const 1)))

  ;; A bit for each special byte: one that the table has for its low four bits.
  (func $specials_in (param $text v128) (result i32)
    (i8x16.bitmask
      (i8x16.eq
        (local.get $text)
        (i8x16.swizzle
          (v128.load (i32.const 0x4000))
          (v128.and (local.get $text) (i8x16.splat (i32.const 15)))))))

  ;; Whether a secret pattern may stand on both sides of a line break. It has the byte before it. Where one of its pieces has four
  ;; bytes, that has a gram next to the break. Where none has, another break or an escape follows, up to which all is the
  ;; secret pattern's.
  (func $may_bridge
    (param $before i32) (param $after i32) (param $end i32) (param $alphabet i32) (param $filter i32) (param $shift i32)
    (result i32)
    (local $specials i32)
    (if (i32.or
          (i32.lt_u (local.get $before) (i32.const 4))
          (i32.gt_u (i32.add (local.get $after) (i32.const 4)) (local.get $end)))
      (then (return (i32.const 1))))
    (if (i32.eqz
          (i32.load8_u
            (i32.add (local.get $alphabet) (i32.load8_u (i32.sub (local.get $before) (i32.const 1))))))
      (then (return (i32.const 0))))
    (if (i32.or
          (call $gram_at (i32.sub (local.get $before) (i32.const 4)) (local.get $filter) (local.get $shift))
          (call $gram_at (local.get $after) (local.get $filter) (local.get $shift)))
      (then (return (i32.const 1))))
    (local.set $specials (call $specials_in (v128.load32_zero (local.get $after))))
    (if (i32.eqz (local.get $specials)) (then (return (i32.const 0))))
    (local.set $end (i32.add (local.get $after) (i32.ctz (local.get $specials))))
    (loop $next
      (if (i32.ge_u (local.get $after) (local.get $end)) (then (return (i32.const 1))))
      (local.set $before (i32.add (local.get $alphabet) (i32.load8_u (local.get $after))))
      (local.set $after (i32.add (local.get $after) (i32.const 1)))
      (br_if $next (i32.load8_u (local.get $before))))
    (i32.const 0))

  ;; Whether so many grams one after the other, with that at $place among them, may be a secret pattern's: it has as many.
  (func $is_run
    (param $place i32) (param $end i32) (param $run i32) (param $filter i32) (param $shift i32) (result i32)
    (local $last i32)
    (if (i32.eqz (call $gram_at (local.get $place) (local.get $filter) (local.get $shift)))
      (then (return (i32.const 0))))
    (local.set $last (local.get $place))
    (loop $back
      (if (i32.gt_u (local.get $place) (i32.const 0))
        (then
          (if (call $gram_at (i32.sub (local.get $place) (i32.const 1)) (local.get $filter) (local.get $shift))
            (then
              (local.set $place (i32.sub (local.get $place) (i32.const 1)))
              (br_if $back (i32.lt_u (i32.sub (local.get $last) (local.get $place)) (local.get $run))))))))
    (local.set $run (i32.add (local.get $place) (local.get $run)))
    (loop $on
      (local.set $last (i32.add (local.get $last) (i32.const 1)))
      ;; What is not there yet may be anything.
      (if (i32.ge_u (local.get $last) (local.get $run)) (then (return (i32.const 1))))
      (if (i32.gt_u (i32.add (local.get $last) (i32.const 4)) (local.get $end)) (then (return (i32.const 1))))
      (br_if $on (call $gram_at (local.get $last) (local.get $filter) (local.get $shift))))
    (i32.const 0))

  ;; Lists the places of special bytes that may matter before $whole, which is a multiple of sixteen and has two more bytes
  ;; behind it. Returns how many.
  ;;
  ;; Mispredicted branches dominate the cost here, so the loop does not branch on whether a block contains special bytes:
  ;; it always writes candidates and overwrites the unused ones.
  (func (export "mark")
    (param $whole i32) (param $end i32) (param $tables i32) (param $shift i32) (result i32)
    (local $table v128)
    (local $text v128)
    (local $specials i32)
    (local $at i32)
    (local $list i32)
    (local $from i32)
    (local $place i32)
    (local $row i32)
    (local $verdict i32)
    (local.set $table (v128.load (i32.const 0x4000)))
    (local.set $list (i32.const 0x5000))

    (block $listed
      (loop $sixteen
        (br_if $listed (i32.ge_u (local.get $at) (local.get $whole)))
        ;; $specials_in, written out: a call would take as long.
        (local.set $text (v128.load (local.get $at)))
        (local.set $specials
          (i8x16.bitmask
            (i8x16.eq
              (local.get $text)
              (i8x16.swizzle (local.get $table) (v128.and (local.get $text) (i8x16.splat (i32.const 15)))))))
        (local.set $from (local.get $list))
        (local.set $list
          (i32.add (local.get $list) (i32.shl (i32.popcnt (local.get $specials)) (i32.const 1))))
        ;; Two at once: more are seldom there.
        (loop $two
          (i32.store16 (local.get $from) (i32.add (local.get $at) (i32.ctz (local.get $specials))))
          (local.set $specials (i32.and (local.get $specials) (i32.sub (local.get $specials) (i32.const 1))))
          (i32.store16 offset=2 (local.get $from) (i32.add (local.get $at) (i32.ctz (local.get $specials))))
          (local.set $specials (i32.and (local.get $specials) (i32.sub (local.get $specials) (i32.const 1))))
          (local.set $from (i32.add (local.get $from) (i32.const 4)))
          (br_if $two (local.get $specials)))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (br $sixteen)))

    (local.set $from (i32.const 0x5000))
    (local.set $at (local.get $from))
    (block $checked
      (loop $one
        (br_if $checked (i32.ge_u (local.get $from) (local.get $list)))
        (local.set $place (i32.load16_u (local.get $from)))
        (local.set $from (i32.add (local.get $from) (i32.const 2)))
        (local.set $row
          (i32.add
            (local.get $tables)
            (i32.shl (i32.and (i32.load8_u (local.get $place)) (i32.const 15)) (i32.const 8))))
        (local.set $verdict
          (i32.and
            (i32.load8_u (i32.add (local.get $row) (i32.load8_u offset=1 (local.get $place))))
            (i32.load8_u offset=0x1000
              (i32.add (local.get $row) (i32.load8_u offset=2 (local.get $place))))))
        (if (i32.gt_u (local.get $verdict) (i32.const 3))
          (then
            (local.set $verdict
              (call $may_bridge
                (local.get $place)
                (i32.add (local.get $place) (i32.shr_u (local.get $verdict) (i32.const 2)))
                (local.get $end)
                (i32.add (local.get $tables) (i32.const 0x2000))
                (i32.add (local.get $tables) (i32.const 0x2100))
                (local.get $shift)))))
        (i32.store16 (local.get $at) (local.get $place))
        (local.set $at
          (i32.add (local.get $at) (i32.shl (i32.ne (local.get $verdict) (i32.const 0)) (i32.const 1))))
        (br $one)))
    (i32.shr_u (i32.sub (local.get $at) (i32.const 0x5000)) (i32.const 1)))

  ;; The first sample from $sample on that may be a secret pattern's and ends at or before $limit; -1 where there is none.
  (func (export "find")
    (param $sample i32) (param $limit i32) (param $end i32) (param $stride i32) (param $run i32)
    (param $tables i32) (param $shift i32) (result i32)
    (local $filter i32)
    (local $gram i32)
    (local.set $filter (i32.add (local.get $tables) (i32.const 0x2100)))
    (block $done
      (loop $next
        (br_if $done (i32.gt_u (i32.add (local.get $sample) (i32.const 4)) (local.get $limit)))
        ;; $gram_at, written out: a call would take as long.
        (local.set $gram (i32.load (local.get $sample)))
        (local.set $gram
          (i32.shr_u
            (i32.mul
              (i32.xor (local.get $gram) (i32.shr_u (local.get $gram) (i32.const 15)))
              (i32.const 0x9e3779b1))
            (local.get $shift)))
        (if (i32.and
              (i32.shr_u
                (i32.load8_u (i32.add (local.get $filter) (i32.shr_u (local.get $gram) (i32.const 3))))
                (i32.and (local.get $gram) (i32.const 7)))
              (i32.const 1))
          (then
            (if (call $is_run
                  (local.get $sample) (local.get $end) (local.get $run) (local.get $filter) (local.get $shift))
              (then (return (local.get $sample))))))
        (local.set $sample (i32.add (local.get $sample) (local.get $stride)))
        (br $next)))
    (i32.const -1)))
