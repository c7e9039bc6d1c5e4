"""What people look like: drawn at random, dressed, and copied into look-alikes.

A Look is the description; `compile_look` turns it into the arrays which body.py and texture.py read. Demo and training
draw from the same distribution here, with different seeds.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from simulated_site import texture as tx

Colour = tuple[float, float, float]  # linear BGR, 0..1


@dataclass(frozen=True)
class Garment:
    """Cloth of one piece of clothing: a pattern of up to three colours."""

    pattern: int
    colours: tuple[Colour, Colour, Colour]
    size_m: float = 0.08
    share: float = 0.5


@dataclass(frozen=True)
class Look:
    """One person's outfit and build. Lengths in metres, angles in radians, the rest ratios to the average."""

    height_m: float
    girth: float
    shoulders: float
    hips: float
    belly: float
    skin: Colour
    hair: Colour
    hair_style: int  # 0 bald, 1 short, 2 jaw-long, 3 long, 4 pony tail, 5 bun
    hair_volume: float
    beard: bool
    glasses: bool
    hat: int  # 0 none, 1 cap, 2 brimmed hat, 3 beanie
    hat_colour: Colour
    top: Garment
    long_sleeves: bool
    open_front: float  # half angle, 0 where closed
    shirt: Colour
    coat: float  # 0 short shirt .. 1 jacket .. 2 coat
    chest_logo: tuple[float, float, float, float] | None  # u, half width, v, half height
    back_print: tuple[float, float, float] | None  # half width, v, half height
    logo: Colour
    lower: int  # 0 trousers, 1 shorts, 2 skirt, 3 long skirt
    trousers: Garment
    side_stripe: Colour | None
    tights: bool
    shoe: Colour
    bag: int  # 0 none, 1 backpack, 2 handbag, 3 shoulder bag
    bag_colour: Colour
    bag_side: int
    gait: tuple[float, ...] = field(default=())  # arm swing, elbow, stride, lean, arm out, toe out, looseness


def _bgr(hue: float, saturation: float, value: float) -> Colour:
    """HSV (all 0..1) to linear BGR, value already linear."""
    i = int(hue * 6.0) % 6
    f = hue * 6.0 - int(hue * 6.0)
    p, q, t = value * (1 - saturation), value * (1 - saturation * f), value * (1 - saturation * (1 - f))
    r, g, b = ((value, t, p), (q, value, p), (p, value, t), (p, q, value), (t, p, value), (value, p, q))[i]
    return (b, g, r)


def _cloth_colour(rng: np.random.Generator, bright: float = 0.5) -> Colour:
    """Clothes: many blacks, greys, navies and whites, and a share `bright` of real colours."""
    if rng.random() < bright:
        return _bgr(rng.random(), rng.uniform(0.45, 0.95), rng.uniform(0.10, 0.62))
    kind = rng.integers(5)
    if kind == 0:
        return _bgr(rng.random(), rng.uniform(0, 0.3), rng.uniform(0.012, 0.035))
    if kind == 1:
        return _bgr(rng.random(), rng.uniform(0, 0.1), rng.uniform(0.08, 0.35))
    if kind == 2:
        return _bgr(rng.uniform(0.58, 0.68), rng.uniform(0.5, 0.8), rng.uniform(0.04, 0.16))
    if kind == 3:
        return _bgr(rng.uniform(0.04, 0.14), rng.uniform(0.2, 0.6), rng.uniform(0.12, 0.5))
    return _bgr(rng.random(), rng.uniform(0, 0.08), rng.uniform(0.55, 0.85))


def _contrast(rng: np.random.Generator, other: Colour) -> Colour:
    """A cloth colour that can be told from `other`."""
    for _ in range(8):
        colour = _cloth_colour(rng, 0.6)
        if np.abs(np.sqrt(colour) - np.sqrt(other)).sum() > 0.7:
            return colour
    return (0.8, 0.8, 0.8) if sum(other) < 1.0 else (0.02, 0.02, 0.02)


def _top(rng: np.random.Generator) -> Garment:
    c0 = _cloth_colour(rng, 0.62)
    c1, c2 = _contrast(rng, c0), _cloth_colour(rng, 0.6)
    kind = int(
        rng.choice(
            [tx.PLAIN, tx.STRIPES, tx.PINSTRIPES, tx.PLAID, tx.BLOCKS, tx.DOTS, tx.CAMOUFLAGE],
            p=[0.46, 0.15, 0.06, 0.11, 0.13, 0.04, 0.05],
        )
    )
    size = {
        tx.STRIPES: rng.uniform(0.05, 0.13),
        tx.PINSTRIPES: rng.uniform(0.05, 0.09),
        tx.PLAID: rng.uniform(0.08, 0.15),
        tx.BLOCKS: rng.uniform(0.08, 0.22),
        tx.DOTS: rng.uniform(0.07, 0.11),
        tx.CAMOUFLAGE: rng.uniform(0.08, 0.16),
    }.get(kind, 0.1)
    share = 0.02 if kind == tx.BLOCKS else (rng.uniform(0.06, 0.12) if kind == tx.DOTS else rng.uniform(0.3, 0.6))
    return Garment(kind, (c0, c1, c2), float(size), float(share))


def _lower(rng: np.random.Generator) -> tuple[int, Garment]:
    lower = int(rng.choice([0, 1, 2, 3], p=[0.72, 0.10, 0.11, 0.07]))
    c0 = _cloth_colour(rng, 0.28 if lower < 2 else 0.5)
    kind = tx.PLAIN if rng.random() < 0.88 else int(rng.choice([tx.PLAID, tx.PINSTRIPES, tx.CAMOUFLAGE]))
    return lower, Garment(kind, (c0, _contrast(rng, c0), _cloth_colour(rng)), float(rng.uniform(0.06, 0.12)), 0.4)


def _skin_and_hair(rng: np.random.Generator) -> tuple[Colour, Colour]:
    tone = rng.beta(1.4, 1.6)
    skin = np.array([0.30, 0.42, 0.66]) * (1 - tone) + np.array([0.045, 0.075, 0.15]) * tone
    skin *= rng.uniform(0.9, 1.1)
    shades = [
        (0.01, 0.011, 0.013),
        (0.02, 0.03, 0.05),
        (0.035, 0.07, 0.13),
        (0.10, 0.22, 0.38),
        (0.03, 0.07, 0.22),
        (0.38, 0.38, 0.38),
    ]
    weights = np.array([0.34, 0.26, 0.16, 0.11, 0.05, 0.08]) if tone < 0.6 else np.array([0.75, 0.17, 0, 0, 0, 0.08])
    hair = np.array(shades[rng.choice(6, p=weights)]) * rng.uniform(0.8, 1.25)
    return tuple(map(float, skin)), tuple(map(float, hair))  # type: ignore[return-value]


def _gait(rng: np.random.Generator) -> tuple[float, ...]:
    return tuple(
        map(
            float,
            (
                rng.uniform(0.25, 0.65),
                rng.uniform(0.15, 0.65),
                rng.uniform(0.85, 1.12),
                rng.uniform(0.0, 0.5),
                rng.uniform(0.10, 0.26),
                rng.uniform(0.0, 0.30),
                rng.uniform(1.0, 1.35),
            ),
        )
    )


def _prints(rng: np.random.Generator, kind: int) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    chance = 0.45 if kind == tx.PLAIN else 0.12
    chest = None
    if rng.random() < chance:
        big = rng.random() < 0.5
        chest = (
            (0.0, rng.uniform(0.06, 0.13), 0.17, rng.uniform(0.04, 0.09))
            if big
            else (rng.choice([-0.08, 0.08]), 0.04, 0.22, 0.035)
        )
    back = (
        (rng.uniform(0.08, 0.15), rng.uniform(0.14, 0.2), rng.uniform(0.03, 0.09))
        if rng.random() < chance * 0.6
        else None
    )
    return chest, back


def random_look(rng: np.random.Generator) -> Look:
    """Draw one person."""
    skin, hair = _skin_and_hair(rng)
    feminine = rng.random() < 0.5
    top = _top(rng)
    lower, trousers = _lower(rng)
    chest, back = _prints(rng, top.pattern)
    coat = float(rng.choice([rng.uniform(0.0, 0.9), rng.uniform(1.0, 2.2)], p=[0.78, 0.22]))
    styles = [0.02, 0.16, 0.22, 0.27, 0.21, 0.12] if feminine else [0.14, 0.68, 0.10, 0.04, 0.03, 0.01]
    return Look(
        height_m=float(np.clip(rng.normal(1.67 if feminine else 1.78, 0.075), 1.5, 1.95)),
        girth=float(np.clip(rng.normal(1.0, 0.12), 0.8, 1.35)),
        shoulders=float(rng.uniform(0.90, 1.0) if feminine else rng.uniform(0.98, 1.10)),
        hips=float(rng.uniform(0.98, 1.12) if feminine else rng.uniform(0.9, 1.02)),
        belly=float(max(0.0, rng.normal(0.05, 0.35))),
        skin=skin,
        hair=hair,
        hair_style=int(rng.choice(6, p=styles)),
        hair_volume=float(rng.uniform(1.07, 1.2)),
        beard=bool(not feminine and rng.random() < 0.3),
        glasses=bool(rng.random() < 0.22),
        hat=int(rng.choice(4, p=[0.80, 0.10, 0.03, 0.07])),
        hat_colour=_cloth_colour(rng, 0.5),
        top=top,
        long_sleeves=bool(rng.random() < (0.62 if coat < 1 else 1.0)),
        open_front=float(rng.uniform(0.25, 0.55)) if rng.random() < (0.22 if coat < 1 else 0.5) else 0.0,
        shirt=_contrast(rng, top.colours[0]),
        coat=coat,
        chest_logo=chest,
        back_print=back,
        logo=_contrast(rng, top.colours[0]),  # type: ignore[arg-type]
        lower=lower,
        trousers=trousers,
        side_stripe=_contrast(rng, trousers.colours[0]) if lower < 2 and rng.random() < 0.14 else None,
        tights=bool(rng.random() < 0.5),
        shoe=_cloth_colour(rng, 0.35),
        bag=int(rng.choice(4, p=[0.58, 0.20, 0.12, 0.10])),
        bag_colour=_cloth_colour(rng, 0.6),
        bag_side=int(rng.choice([-1, 1])),
        gait=_gait(rng),
    )


def look_alike(look: Look, rng: np.random.Generator) -> Look:
    """Another person in the same colours: three to five details differ (hair, bag, height, print, shoes, ...)."""
    skin, hair = _skin_and_hair(rng)
    chest, back = _prints(rng, tx.PLAIN)
    chest = chest if look.chest_logo is None and chest else (None if look.chest_logo else (0.0, 0.1, 0.17, 0.06))
    taller = look.height_m + float(rng.choice([-1, 1])) * rng.uniform(0.07, 0.15)
    options = {
        "hair": {
            "hair": hair,
            "skin": skin,
            "hair_style": int(rng.choice([s for s in (1, 2, 3, 4, 5) if s != look.hair_style])),
            "hat": 0,
        },
        "bag": {
            "bag": int(rng.choice([b for b in (0, 1, 2, 3) if b != look.bag])),
            "bag_colour": _contrast(rng, look.top.colours[0]),
        },
        "height": {
            "height_m": float(np.clip(taller, 1.5, 1.95)),
            "girth": float(np.clip(look.girth + rng.choice([-0.14, 0.14]), 0.8, 1.3)),
        },
        "print": {"chest_logo": chest, "back_print": back, "logo": _contrast(rng, look.top.colours[0])},
        "shoes": {"shoe": _contrast(rng, look.shoe)},
        "hat": {
            "hat": int(rng.choice([h for h in (0, 1, 3) if h != look.hat])),
            "hat_colour": _contrast(rng, look.hair),
        },
    }
    names = rng.permutation(sorted(options))[: int(rng.integers(3, 6))]
    changed: dict[str, object] = {"gait": _gait(rng)}
    for name in names:
        changed.update(options[name])
    return replace(look, **changed)  # type: ignore[arg-type]
