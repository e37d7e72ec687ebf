//! Memory that was freed below a block that lives on. In a process of its own: it measures the whole process.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use pagewire_zcopy::{own_memory, trim_heap};

const BLOCK: usize = 4096;
const BLOCKS: usize = 16 << 10;

#[test]
fn what_lies_below_a_living_block_is_given_back() {
    let mut blocks: Vec<Vec<u8>> = (0..BLOCKS).map(|_| vec![1; BLOCK]).collect();
    let last = blocks.pop();
    let full = own_memory().expect("Linux tells it");
    assert!(full >= (BLOCK * BLOCKS) as u64, "{full} bytes hold {BLOCKS} blocks");
    drop(blocks);
    assert!(trim_heap(), "there is much to give back");
    let trimmed = own_memory().expect("Linux tells it");
    assert!(trimmed < full / 4, "{trimmed} of {full} bytes are left");
    assert_eq!(last.map(|block| block.len()), Some(BLOCK));
}
