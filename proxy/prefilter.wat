;; Passes over what cannot be part of a needle, sixteen bytes at a time, for which JavaScript has no instructions: byte by
;; byte, this would take longer than all else that is done with a response. prefilter.ts says what the tables hold.
(module
  ;; From 0 the text, from 0x4000 the special bytes, each at the place of its low four bits, behind them for each set of
  ;; needles: two tables of verdicts, the alphabet, the gram filter.
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

  ;; Whether a needle may stand on both sides of a line break. It has the byte before it. Where one of its pieces has four
  ;; bytes, that has a gram next to the break. Where none has, another break or an escape follows, up to which all is the
  ;; needle's.
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

  ;; Whether so many grams one after the other, with that at $place among them, may be a needle's: it has as many.
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

  ;; Returns four times the place where it stopped, and why: 0 before the last bytes, 1 at a special byte, 2 at a sample.
  ;; No sample that ends at or before that place may be a needle's.
  (func (export "pass")
    (param $at i32) (param $sample i32) (param $end i32) (param $stride i32) (param $run i32)
    (param $tables i32) (param $shift i32) (result i32)
    (local $filter i32)
    (local $table v128)
    (local $text v128)
    (local $specials i32)
    (local $next i32)
    (local $samples i32)
    (local $gram i32)
    (local $place i32)
    (local $row i32)
    (local $verdict i32)
    (local.set $table (v128.load (i32.const 0x4000)))
    (local.set $filter (i32.add (local.get $tables) (i32.const 0x2100)))

    (block $caught_up
      (loop $behind
        (br_if $caught_up (i32.gt_u (i32.add (local.get $sample) (i32.const 4)) (local.get $at)))
        (if (call $is_run
              (local.get $sample) (local.get $end) (local.get $run) (local.get $filter) (local.get $shift))
          (then (return (i32.or (i32.shl (local.get $sample) (i32.const 2)) (i32.const 2)))))
        (local.set $sample (i32.add (local.get $sample) (local.get $stride)))
        (br $behind)))

    (block $done
      (loop $sixteen
        (local.set $next (i32.add (local.get $at) (i32.const 16)))
        ;; A special byte is judged by the next two, which must be there.
        (br_if $done (i32.ge_u (i32.add (local.get $next) (i32.const 1)) (local.get $end)))

        ;; $specials_in and $gram_at, written out: a call for each would take as long as they do.
        (local.set $text (v128.load (local.get $at)))
        (local.set $specials
          (i8x16.bitmask
            (i8x16.eq
              (local.get $text)
              (i8x16.swizzle (local.get $table) (v128.and (local.get $text) (i8x16.splat (i32.const 15)))))))
        (local.set $samples (i32.const 0))
        (loop $one
          (local.set $gram (i32.load (local.get $sample)))
          (local.set $gram
            (i32.shr_u
              (i32.mul
                (i32.xor (local.get $gram) (i32.shr_u (local.get $gram) (i32.const 15)))
                (i32.const 0x9e3779b1))
              (local.get $shift)))
          (local.set $samples
            (i32.or
              (local.get $samples)
              (i32.shr_u
                (i32.load8_u (i32.add (local.get $filter) (i32.shr_u (local.get $gram) (i32.const 3))))
                (i32.and (local.get $gram) (i32.const 7)))))
          (local.set $sample (i32.add (local.get $sample) (local.get $stride)))
          (br_if $one (i32.le_u (i32.add (local.get $sample) (i32.const 4)) (local.get $next))))
        (local.set $samples (i32.and (local.get $samples) (i32.const 1)))

        (if (i32.or (local.get $specials) (local.get $samples))
          (then
            ;; The first special byte that matters, or $next.
            (local.set $place (local.get $next))
            (block $found
              (loop $one
                (br_if $found (i32.eqz (local.get $specials)))
                (local.set $place (i32.add (local.get $at) (i32.ctz (local.get $specials))))
                (local.set $specials
                  (i32.and (local.get $specials) (i32.sub (local.get $specials) (i32.const 1))))
                (local.set $row
                  (i32.add
                    (local.get $tables)
                    (i32.shl
                      (i32.and (i32.load8_u (local.get $place)) (i32.const 15))
                      (i32.const 8))))
                (local.set $verdict
                  (i32.and
                    (i32.load8_u (i32.add (local.get $row) (i32.load8_u offset=1 (local.get $place))))
                    (i32.load8_u offset=0x1000
                      (i32.add (local.get $row) (i32.load8_u offset=2 (local.get $place))))))
                (if (local.get $verdict)
                  (then
                    (br_if $found (i32.and (local.get $verdict) (i32.const 3)))
                    (br_if $found
                      (call $may_bridge
                        (local.get $place)
                        (i32.add (local.get $place) (i32.shr_u (local.get $verdict) (i32.const 2)))
                        (local.get $end)
                        (i32.add (local.get $tables) (i32.const 0x2000))
                        (local.get $filter)
                        (local.get $shift)))))
                (local.set $place (local.get $next))
                (br $one)))
            (if (local.get $samples)
              (then
                (local.set $gram (i32.sub (local.get $sample) (i32.const 16)))
                (loop $one
                  (if (i32.le_u (i32.add (local.get $gram) (i32.const 4)) (local.get $place))
                    (then
                      (if (call $is_run
                            (local.get $gram) (local.get $end) (local.get $run) (local.get $filter) (local.get $shift))
                        (then (return (i32.or (i32.shl (local.get $gram) (i32.const 2)) (i32.const 2)))))
                      (local.set $gram (i32.add (local.get $gram) (local.get $stride)))
                      (br $one))))))
            (if (i32.lt_u (local.get $place) (local.get $next))
              (then (return (i32.or (i32.shl (local.get $place) (i32.const 2)) (i32.const 1)))))))
        (local.set $at (local.get $next))
        (br $sixteen)))
    (i32.shl (local.get $at) (i32.const 2))))
