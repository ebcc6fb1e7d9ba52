;; What redaction does to every byte of a response, for which JavaScript has no instructions. How long it takes depends on the
;; text alone: nothing here looks at less of a secret than a whole window of it. prefilter.ts says what the tables hold.
(module
  ;; The places of all regions are in prefilter.ts. Behind a text there are 64 bytes of zeros, and before the first one, too.
  (memory (export "memory") 32)

  ;; Marks the special bytes of the text that may matter, by place, four bytes each. Returns how many.
  ;;
  ;; Mispredicted branches dominate the cost here, so the loop does not branch on whether a block contains special bytes:
  ;; it always writes candidates and overwrites the unused ones.
  (func (export "mark")
    (param $text i32) (param $end i32) (param $specials i32) (param $places i32) (param $verdicts i32) (result i32)
    (local $table v128)
    (local $block v128)
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

    (block $listed
      (loop $sixteen
        (br_if $listed (i32.ge_u (local.get $at) (local.get $end)))
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

  ;; Copies to a place before it, sixteen bytes at a time: up to fifteen bytes behind the copy are overwritten.
  (func (export "copy") (param $from i32) (param $end i32) (param $to i32)
    (block $done
      (loop $sixteen
        (br_if $done (i32.ge_u (local.get $from) (local.get $end)))
        (v128.store (local.get $to) (v128.load (local.get $from)))
        (local.set $from (i32.add (local.get $from) (i32.const 16)))
        (local.set $to (i32.add (local.get $to) (i32.const 16)))
        (br $sixteen))))

  ;; A hash of the window of $size bytes, 8 to 16: of its first eight and its last eight.
  (func $hash (param $at i32) (param $size i32) (result i64)
    (local $hash i64)
    (local.set $hash
      (i64.add
        (i64.mul (i64.load (local.get $at)) (i64.const 0x9e3779b97f4a7c15))
        (i64.mul
          (i64.rotl
            (i64.load (i32.sub (i32.add (local.get $at) (local.get $size)) (i32.const 8)))
            (i64.const 31))
          (i64.const 0xc2b2ae3d27d4eb4f))))
    (local.set $hash
      (i64.mul
        (i64.xor (local.get $hash) (i64.shr_u (local.get $hash) (i64.const 29)))
        (i64.const 0xbf58476d1ce4e5b9)))
    (i64.xor (local.get $hash) (i64.shr_u (local.get $hash) (i64.const 32))))

  ;; The bits of a hash in its word of a filter: five. A shift takes the low six bits of its distance.
  (func $bits (param $hash i64) (result i64)
    (i64.or
      (i64.or
        (i64.or
          (i64.shl (i64.const 1) (local.get $hash))
          (i64.shl (i64.const 1) (i64.shr_u (local.get $hash) (i64.const 6))))
        (i64.or
          (i64.shl (i64.const 1) (i64.shr_u (local.get $hash) (i64.const 12)))
          (i64.shl (i64.const 1) (i64.shr_u (local.get $hash) (i64.const 18)))))
      (i64.shl (i64.const 1) (i64.shr_u (local.get $hash) (i64.const 24)))))

  (func $word (param $hash i64) (param $filter i32) (param $shift i32) (result i32)
    (i32.add
      (local.get $filter)
      (i32.shl (i32.wrap_i64 (i64.shr_u (local.get $hash) (i64.extend_i32_u (local.get $shift)))) (i32.const 3))))

  ;; Puts every window between $at and $end into the filter.
  (func (export "insert")
    (param $at i32) (param $end i32) (param $size i32) (param $filter i32) (param $shift i32)
    (local $hash i64)
    (local $word i32)
    (block $done
      (loop $next
        (br_if $done (i32.gt_u (i32.add (local.get $at) (local.get $size)) (local.get $end)))
        (local.set $hash (call $hash (local.get $at) (local.get $size)))
        (local.set $word (call $word (local.get $hash) (local.get $filter) (local.get $shift)))
        (i64.store
          (local.get $word)
          (i64.or (i64.load (local.get $word)) (call $bits (local.get $hash))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next))))

  ;; The first sample from $at on that is in the filter and ends at or before $end; -1 where there is none.
  (func (export "find")
    (param $at i32) (param $end i32) (param $size i32) (param $stride i32) (param $filter i32) (param $shift i32)
    (result i32)
    (local $hash i64)
    (local $bits i64)
    (local.set $end (i32.sub (local.get $end) (local.get $size)))
    (block $done
      (loop $next
        (br_if $done (i32.gt_s (local.get $at) (local.get $end)))
        (local.set $hash (call $hash (local.get $at) (local.get $size)))
        (local.set $bits (call $bits (local.get $hash)))
        (if (i64.eq
              (i64.and
                (i64.load (call $word (local.get $hash) (local.get $filter) (local.get $shift)))
                (local.get $bits))
              (local.get $bits))
          (then (return (local.get $at))))
        (local.set $at (i32.add (local.get $at) (local.get $stride)))
        (br $next)))
    (i32.const -1)))
