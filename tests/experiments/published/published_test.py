"""Tests of experiments.published and of the published numbers: complete, and in agreement with their own means."""

import collections
import pathlib
from decimal import ROUND_DOWN, Decimal

import pytest

from fpliif_jax.data_builders import class_names
from fpliif_jax.experiments import published
from fpliif_jax.experiments.published import (
    PublishedError,
    PublishedValue,
    published_values,
    read_values,
)

HEADER = "system,dataset,protocol,class,metric,value,unit,source,seed\n"
GROUPS = {"eyes", "brows", "mouth", "overall"}
HELEN_CLASSES = {"skin", "nose", "upper_lip", "inner_mouth", "lower_lip"} | GROUPS
STN_CLASSES = HELEN_CLASSES - {"skin"}

# Printed means that are not the rounded means of their printed classes, and why.
CUT = "cut after two digits instead of rounded"
MEAN_EXCEPTIONS = {
    ("FP-LIIF Table 1", "FP-LIIF", "96->256"): "91.770 printed as 91.76",
    ("FP-LIIF Table 2", "Wei et al. (2019)", ""): CUT,
    ("FP-LIIF Table 2", "AGRNet", ""): CUT,
    ("FP-LIIF Table 2", "DML-CSR", ""): CUT,
    ("FP-LIIF Table 2", "FP-LIIF", "192->256"): CUT,
    ("FP-LIIF Table 2", "FP-LIIF", "96->256"): CUT,
}


def rows(source: str) -> dict[tuple[str, str], dict[str, PublishedValue]]:
    found: dict[tuple[str, str], dict[str, PublishedValue]] = collections.defaultdict(dict)
    for value in published_values():
        if value.source == source:
            line = found[value.system, value.protocol]
            assert value.class_name not in line, f"twice: {value}"
            line[value.class_name] = value
    return found


def find(source: str, **fields: str) -> PublishedValue:
    (value,) = (
        v
        for v in published_values()
        if v.source == source and all(getattr(v, name) == text for name, text in fields.items())
    )
    return value


# -------------------------------------------------------------------------------- completeness

OURS = [("FP-LIIF", p) for p in ("256", "512", "192->256", "128->256", "96->256", "64->256")]
RIVALS = [(s, "") for s in ("Wei et al. (2019)", "EAGR", "FaRL (scratch)", "AGRNet", "DML-CSR")]


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("FP-LIIF Table 1", class_names.LAPA_AND_HELEN),
        ("FP-LIIF Table 2", class_names.CELEBAMASK_HQ),
    ],
)
def test_tables_1_and_2_have_every_row_with_every_class(source: str, names: tuple) -> None:
    found = rows(source)
    assert set(found) == {*OURS, *RIVALS}
    for line in found.values():
        assert set(line) == {*names[1:], "mean"}
        assert all(
            v.metric == ("mean_f1" if v.class_name == "mean" else "f1") for v in line.values()
        )
        assert {v.unit for v in line.values()} == {"percent"}


def test_other_tables_of_fp_liif_are_complete() -> None:
    helen = rows("FP-LIIF Table 3")
    assert set(helen) == {("EAGR", ""), ("DML-CSR", ""), ("FP-LIIF", "256")}
    for line in helen.values():
        assert set(line) == HELEN_CLASSES
        assert {n for n, v in line.items() if v.metric == "group_f1"} == GROUPS
    sfnet = rows("FP-LIIF Fig. 9")
    assert set(sfnet) == {("SFNet", ""), ("FP-LIIF", "256")}
    for line in sfnet.values():
        assert set(line) == {*class_names.LAPA_AND_HELEN[1:], "mean"}
    by_source = collections.Counter(value.source for value in published_values())
    assert by_source["FP-LIIF Table 4"] == 4 * 4
    operations = {
        v.system: (v.metric, v.unit, v.printed)
        for v in published_values()
        if v.source == "FP-LIIF Table 4" and v.unit in ("gmacs", "gflops")
    }
    # What was counted is known of FP-LIIF alone (docs/audit.md).
    assert operations == {
        "DML-CSR": ("gflops", "gflops", "253"),
        "EAGR": ("gflops", "gflops", "235"),
        "FaRL": ("gflops", "gflops", "370"),
        "FP-LIIF": ("gmacs", "gmacs", "85"),
    }
    assert by_source["FP-LIIF Table 5"] == 5
    assert by_source["FP-LIIF Table 6"] == 2 * 5
    assert by_source["FP-LIIF Table 7"] == 3 * 2


def test_tables_of_stn_icnn_are_complete() -> None:
    assert set(rows("STN-iCNN Table 2")) == {
        (system, "") for system in ("iCNN (Zhou et al.)", "iCNN", "STN-iCNN*", "STN-iCNN")
    }
    assert set(rows("STN-iCNN Table 3")) == {(s, "") for s in ("iCNN", "STN-iCNN*", "STN-iCNN")}
    table_4 = rows("STN-iCNN Table 4")
    assert len(table_4) == 7
    for table in ("2", "3", "4"):
        for (system, _), line in rows(f"STN-iCNN Table {table}").items():
            missing = {"upper_lip", "inner_mouth", "lower_lip"} if "Wei" in system else set()
            assert set(line) - {"skin"} == STN_CLASSES - missing
            assert {v.unit for v in line.values()} == {"fraction"}
            assert {n for n, v in line.items() if v.metric == "group_f1"} == GROUPS
    assert sum("skin" in line for line in table_4.values()) == 4
    rates = [v for v in published_values() if v.source == "STN-iCNN Table 1"]
    assert sum(v.metric == "learning_rate" for v in rates) == 2 * (2 + 3)


@pytest.mark.parametrize(
    ("source", "fields", "printed"),
    [  # read off the papers by hand
        ("FP-LIIF Table 1", {"system": "Wei et al. (2019)", "class_name": "left_brow"}, "86"),
        ("FP-LIIF Table 1", {"protocol": "64->256", "class_name": "mean"}, "90.12"),
        ("FP-LIIF Table 1", {"protocol": "512", "class_name": "hair"}, "95.9"),
        ("FP-LIIF Table 2", {"system": "EAGR", "class_name": "mouth"}, "95"),
        ("FP-LIIF Table 2", {"protocol": "512", "class_name": "neck_l"}, "42.2"),
        ("FP-LIIF Table 2", {"protocol": "512", "class_name": "mean"}, "86.14"),
        ("FP-LIIF Table 3", {"protocol": "256", "class_name": "brows"}, "81"),
        ("FP-LIIF Table 4", {"system": "EAGR", "metric": "parameters"}, "66.72"),
        ("FP-LIIF Table 5", {"protocol": "lambda=30"}, "92.34"),
        ("FP-LIIF Table 6", {"protocol": "192", "metric": "fps"}, "187"),
        ("FP-LIIF Table 7", {"dataset": "celebamask_hq", "metric": "mean_f1_sd"}, "0.20"),
        ("FP-LIIF Table 7", {"dataset": "helen", "metric": "group_f1"}, "91.12"),
        ("FP-LIIF Fig. 9", {"system": "FP-LIIF", "class_name": "nose"}, "97.2"),
        ("FP-LIIF §5.1", {"protocol": "batch_norm"}, "92.32"),
        ("FP-LIIF §5.1", {"protocol": "unet", "metric": "parameters"}, "9.31"),
        ("FP-LIIF §6.1", {"protocol": "256"}, "120"),
        ("STN-iCNN Table 2", {"system": "STN-iCNN*", "class_name": "overall"}, "0.893"),
        ("STN-iCNN Table 3", {"system": "iCNN", "class_name": "upper_lip"}, "0.712"),
        ("STN-iCNN Table 4", {"system": "Liu et al. (2015)", "class_name": "skin"}, "0.910"),
        ("STN-iCNN README", {"protocol": "ten runs", "metric": "group_f1"}, "0.90"),
        ("STN-iCNN notebooks", {"protocol": "true_windows"}, ".9104"),
    ],
)
def test_values(source: str, fields: dict[str, str], printed: str) -> None:
    assert find(source, **fields).printed == printed


def test_class_names_are_the_projects() -> None:
    known = {"", "mean", *GROUPS, *class_names.LAPA_AND_HELEN, *class_names.CELEBAMASK_HQ}
    assert {value.class_name for value in published_values()} <= known
    datasets = {"", "lapa", "celebamask_hq", "helen", "cityscapes"}
    assert {value.dataset for value in published_values()} == datasets


# --------------------------------------------------------------------------------------- means


def test_means_are_those_of_their_classes() -> None:
    exceptions = set()
    checked = 0
    for source in ("FP-LIIF Table 1", "FP-LIIF Table 2", "FP-LIIF Fig. 9"):
        for (system, protocol), line in rows(source).items():
            printed = line["mean"]
            classes = [v for v in line.values() if v.metric == "f1"]
            mean = sum(Decimal(v.printed) for v in classes) / len(classes)
            gap = abs(mean - Decimal(printed.printed))
            last_digit = Decimal(1).scaleb(-printed.decimals)
            # A class is off by half of its last digit at most, and so is their mean, which is rounded itself.
            class_digit = Decimal(1).scaleb(-max(v.decimals for v in classes))
            assert gap <= (class_digit + last_digit) / 2, (source, system, protocol)
            assert gap < last_digit * Decimal("1.01"), (source, system, protocol)
            if gap > last_digit / 2:
                exceptions.add((source, system, protocol))
                reason = MEAN_EXCEPTIONS.get((source, system, protocol))
                cut = mean.quantize(last_digit, ROUND_DOWN) == Decimal(printed.printed)
                told = f"{mean:.3f} printed as {printed.printed}"
                assert reason == (CUT if cut else told), (source, system, protocol)
            checked += 1
    assert checked == 11 + 11 + 2
    assert exceptions == set(MEAN_EXCEPTIONS)


def test_repeated_rows_agree() -> None:
    for (system, protocol), line in rows("STN-iCNN Table 2").items():
        if system != "STN-iCNN*":
            again = rows("STN-iCNN Table 4")[system, protocol]
            assert {n: v.value for n, v in line.items()} == {n: v.value for n, v in again.items()}
    ours = rows("FP-LIIF Table 1")["FP-LIIF", "256"]
    for name, value in rows("FP-LIIF Fig. 9")["FP-LIIF", "256"].items():
        assert value.value == ours[name].value


# -------------------------------------------------------------------------------------- reading


def write(folder: pathlib.Path, *lines: str, header: str = HEADER) -> pathlib.Path:
    path = folder / "results.csv"
    path.write_text(header + "".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def test_percent_and_decimals() -> None:
    overall = find("STN-iCNN Table 2", system="STN-iCNN", class_name="overall")
    assert (overall.percent, overall.decimals, overall.value) == (91.0, 1, 0.91)
    notebook = find("STN-iCNN notebooks", protocol="true_windows")
    assert (notebook.percent, notebook.decimals) == (91.04, 2)
    readme = find("STN-iCNN README", protocol="ten runs", metric="group_f1")
    assert (readme.percent, readme.decimals) == (90.0, 0)
    mean = find("FP-LIIF Table 1", system="FP-LIIF", protocol="256", class_name="mean")
    assert (mean.percent, mean.decimals) == (92.41, 2)
    fps = find("FP-LIIF Table 6", protocol="64", metric="fps")
    assert fps.decimals == 0
    with pytest.raises(ValueError, match="frames_per_second"):
        _ = fps.percent


def test_external_results(tmp_path: pathlib.Path) -> None:
    first, second = read_values(
        write(
            tmp_path,
            "PyTorch,lapa,256,mean,mean_f1,92.0,percent,our cluster,0",
            ' PyTorch ,helen,,overall,group_f1,.91,fraction,"a, b",',
        )
    )
    assert first == PublishedValue(
        "PyTorch", "lapa", "256", "mean", "mean_f1", 92.0, "92.0", "percent", "our cluster", 0
    )
    assert first.decimals == 1
    assert (second.system, second.source, second.seed) == ("PyTorch", "a, b", None)
    assert second.percent == 91


def test_unit_and_seed_may_be_left_out_and_columns_come_in_any_order(
    tmp_path: pathlib.Path,
) -> None:
    header = "\ufeffvalue,class,metric,source,system,dataset,protocol\n"  # a spreadsheet's mark
    (value,) = read_values(write(tmp_path, "92.3,mean,mean_f1,us,PyTorch,lapa,256", header=header))
    assert (value.unit, value.seed, value.class_name) == ("percent", None, "mean")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("a,lapa,,mean,mean_f1,ninety,percent,us,", "value 'ninety' is not a number"),
        ("a,lapa,,mean,mean_f1,nan,percent,us,", "not finite"),
        ("a,lapa,,mean,mean_f1,sNaN,percent,us,", "value 'sNaN' is not a number"),
        ("a,lapa,,mean,mean_f1,92.3,fraction,us,", "impossible in fraction"),
        ("a,lapa,,mean,mean_f1,9230,percent,us,", "impossible in percent"),
        ("a,lapa,,mean,mean_f1,92.3,points,us,", "unit 'points' is none of"),
        ("a,lapa,,mean,mean_f1,92.3,percent,us,one", "seed 'one' is not a whole number"),
        (",lapa,,mean,mean_f1,92.3,percent,us,", "system is empty"),
        ("a,lapa,,mean,mean_f1,92.3,percent", "not as many fields"),
        ("a,lapa,,mean,mean_f1,92.3,percent,us,1,2", "not as many fields"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: pathlib.Path, line: str, problem: str) -> None:
    path = write(tmp_path, "a,lapa,,mean,mean_f1,92,percent,us,", line)
    with pytest.raises(PublishedError) as caught:
        read_values(path)
    assert f"{path}, line 3: " in str(caught.value) and problem in str(caught.value)


def test_a_wrong_file_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(PublishedError, match="no column 'metric'"):
        read_values(write(tmp_path, header="system,dataset,protocol,class,value,source\n"))
    with pytest.raises(PublishedError, match="unknown column 'F1'"):
        read_values(write(tmp_path, header=HEADER.strip() + ",F1\n"))
    with pytest.raises(PublishedError, match="'seed' is there twice"):
        read_values(write(tmp_path, header=HEADER.strip() + ",seed\n"))
    with pytest.raises(PublishedError, match="no column 'system'"):
        read_values(write(tmp_path, header=""))
    with pytest.raises(PublishedError, match="cannot be read"):
        read_values(tmp_path / "absent.csv")
    with pytest.raises(PublishedError, match="cannot be read"):
        read_values(tmp_path)
    path = tmp_path / "latin.csv"
    path.write_bytes(HEADER.encode() + b"\xe9,lapa,,mean,mean_f1,92,percent,us,\n")
    with pytest.raises(PublishedError, match="UTF-8"):
        read_values(path)


def test_all_files_of_the_folder_are_read() -> None:
    count = sum(len(read_values(path)) for path in published.FOLDER.glob("*.csv"))
    assert len(published_values()) == count > 600


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Port,lapa,256,mean,mf1,92.1,here,0", "no metric 'mf1'"),
        ("Port,lappa,256,mean,mean_f1,92.1,here,0", "no data set 'lappa'"),
        ("Port,lapa,256,mean,mean_f1,0.921,here,0", "if it is a fraction"),
        ("Port,lapa,256,mean,mean_f1,92.1,here,3\nPort,lapa,256,mean,mean_f1,92.2,here,3", "twice"),
        ("Port,lapa,64->256,mean,f1,9.1,here,3\nPort,lapa,64to256,mean,f1,9.2,here,3", "twice"),
    ],
)
def test_mistakes_in_external_numbers_are_told(
    tmp_path: pathlib.Path, line: str, message: str
) -> None:
    path = tmp_path / "port.csv"
    path.write_text("system,dataset,protocol,class,metric,value,source,seed\n" + line + "\n")
    with pytest.raises(published.PublishedError, match=message):
        published.read_external(path)


def test_a_run_in_two_files_is_told_and_runs_of_no_known_seed_are_several(
    tmp_path: pathlib.Path,
) -> None:
    """Which of the two counted would be a matter of their order."""
    header = "system,dataset,protocol,class,metric,value,source,seed\n"
    paths = [tmp_path / name for name in ("first.csv", "second.csv")]
    for path, value, seed in zip(paths, (92.1, 92.2), ("", "3"), strict=True):
        text = f"Port,lapa,256,mean,mean_f1,{value},here,3\n" if seed else ""
        path.write_text(f"{header}Port,lapa,256,mean,mean_f1,{value},here,\n{text}")
    assert [value.seed for value in published.read_external(*paths)] == [None, None, 3]
    paths[0].write_text(f"{header}Port,lapa,256,mean,mean_f1,90.0,here,3\n")
    message = (
        f"second.csv, value 2 \\(Port\\): seed 3 stands there twice, first in {paths[0]}, value 1"
    )
    with pytest.raises(published.PublishedError, match=message):
        published.read_external(*paths)


@pytest.mark.parametrize("spelling", ["192->256", "192 → 256", "192to256"])
def test_protocols_of_external_numbers_are_spelled_as_those_of_results(
    tmp_path: pathlib.Path, spelling: str
) -> None:
    path = tmp_path / "port.csv"
    path.write_text(
        "system,dataset,protocol,class,metric,value,source,seed\n"
        f"Port,lapa,{spelling},mean,mean_f1,92.1,here,0\n"
        "Port,lapa,lambda=40,mean,mean_f1,92.1,here,0\n"
    )
    found = [value.protocol for value in published.read_external(path)]
    assert found == ["192to256", "lambda=40"]
