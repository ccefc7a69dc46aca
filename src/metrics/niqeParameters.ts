// The pristine model of NIQE: feature mean and covariance of natural photographs, as published with the
// method (A. Mittal, R. Soundararajan and A. C. Bovik, "Making a completely blind image quality analyzer",
// IEEE SPL 2013; LIVE, UT Austin) and distributed with BasicSR (niqe_pris_params.npz). Float64: 36 means,
// then the upper triangle of the covariance, row by row.

const features = 36

const packed = [
  'FjL3i33PBEAuVhxGhPvsP+XBfaJL/Ok/Ha+JcDQmtz9pT/F0/8HBP2A9YrJCX8o/OYr+1f406j/igOXC/PqvP6CXUfw4oMM/EdES',
  'X24TyT8g+l5YdnLqP1nIIoOMI5q/tW1KtTUjyD/9yOb5JzjFP1XB7GaXYOo/fqua4TP4mb/cj4j+cvfHP+EgVK9lIMU/pjKcFYbB',
  'B0BX4HfMbMLuP9Wl7hTjLes/IqyV1AwXtT/gNqw7L6bEPzNvvTZPysw/AyAMC3586z9a9egK/zOsP3LXTtF2cMY/Dzc9/tvKyz9a',
  'JHz7DujrP5im8MQ5f6C/PS4p0SqVyz88cVweXBfIP+CXO4Yd0us/tXli/wiNoL9rJuHlwnzLP05K2opV6Mc/7slqBMkF3T9K42j7',
  'FJq4Py7tmc34L7U/9HQlhHVljz9TXN1cdM2iP6whHuAGNLA/Nt+vcv4ktj9xFUq7xJ5wv0tbwR2wr6k/TXlWcH7Vqj8pLmieAj62',
  'P4HcNqCeoIm/XedanqzKrT9bMYQgdyynPwCuo0+p5rU/8TbNlosNhL+A4iXbMIitPwCfZMFapKY/u0zBbMm+0j8Ud7GeV/ywPzjE',
  'cKXbyqo/rdXfXaf2bj+t/AIfRRShP4T5b+sfjaU/tv8pkwThqj/BBLhnxktyv/kuYxXCWaM/ZIdWfjh1oz/oiBxfMjiqP+PkpBJI',
  'CYa/Zd7Ojr4Vpj+Wf+NUE7GfP1VLDWlyYKk/KIwQmN4SfL/BEnLHsDGlPxutIjhKV6A/F/Z0Wk4Aoz9xYf8n+RGWPycRlrTEuWM/',
  'EtyUBmhojT8umOiagc6TP2dyYnuOZpY/ZeLzU7q0UL+F9RLbcASRPzX1aDzV7ZE/rSKtW17klT+WKyaPUDp1vwnjt6umopM/atBH',
  'I84tjj8iR4ICjXeVP8rHCto/MHS/35SX6WGjkz827lLU6maNP7BvUL+AjqY/WV2vm118mD+Ugn59vHKJP0dEP6e5mUG/zAK5Yqdt',
  'hz9svYfUfESJP5ut3/3M54g/wDaHjONYYL8O/HFpcveIP0CBwmngloc/zxH1gmp8hj/CELXULn9uv3HePv78/Io/W06aYZaQgz9M',
  '2deMi4WFP0H43gbSfWq/q7VjUwdfij9AAegja6aDP7eBMUzRIZI/7x5KpX1+aD89Ka5BGoeBPyCk5EVSKIw/qX0kqmE8kj99z/x0',
  'VJ/WPhKIvPS3woU/LQzk2o0riD+zQH6iFZeRP4LzkAhu3WG/zXeSoCgLiT+IE0XmGVuEP7MNFCdSUZE/+NWLCMq4YL/JGG6Q6RKJ',
  'P3YMRbgbsoM//GklVQiIqT+Q5x3mM/qOP3M1QlDB/IY/h7BAu34ANz+vcbPhGeh/P6OYG9VYCYM/qvLUS8jJhj/4JT5JZ2k8vxWo',
  '5QD7zYA/ZdKWN4TrgT/clk1EDIuEP+6Jo8FFo16/Egs/2wukgj+//r+SmMJ8PwKFrUrxy4M/M/RZNzvTWr+HzQq1B2uCP0lEmjXG',
  'cHw/0Gk+OZQncD9NMkLEpH9Av2Nhcv2bamk/WAyU2yjlcD8bZaXUFC1Zv2xlft8zxmM/9Wn9ee4AUj+04kcqwNlsPxSbrWa2dww/',
  '2lWe5MuuXD8Pe/0mpxFXP/6jMt1XJ20/IzLV6+ltFb89uQ3pH7ddPxFF0M1gcFU/WIiK97wchj/IQOVCySBpP5QI/p31C2E/QJt0',
  'Hpc6ZT/FNXpcFP4wPzRyFXxrYWU/bkFBioEoaj9xummL5Ulbv4+rWYvSmGQ/yi1xxH6ZVD9Weh3RL19mP3ZhU9hIOj6/rMCxo8JV',
  'YD/ymG8AJkFXP5WfuByu7WU/W0icXVMoQL+fXBtgVWJgP2zjxe8N21Y/+ox2Crq6ez/s7V/J/ux+P66kOc8QrIA/GpLHQb2yMj+M',
  'SafMOr16P3K+OpaPr34/O180mMDzfz/qrJXw05Vgv431jouxAYA/G6U6bQKTeD8Cf8rajCt/P2q3kr6RPmG/8s8vyg0YgD/27oPC',
  'Gsh3Pz1ZYVIMhos/CK3lb334gT/MhkR0uHVzP89cAKAei1a/fAdUhrCzdD/8vD0ypwVyP+sWYxzR+3A/nJtI/UYyFb9IbqnWGb1x',
  'P6SoaOTII3M/yEyOldtXbT/oy5KrnVJTv7ZTmZ9a03M/4JL5Di8ybj/BdFYv9RtsPyQkj2rTj1O/QB7vnLvHcz/Gy6gjI8VtP9p6',
  'sz7uQYk/SPHzMKBIjT8Tenw4eGdVv9Er3wrPK4U/d4k+jCiFhD9OJGpjH3GLP4JtUNc+lWS/Yr0GY9/0hj+YiekerrGBP0d+Lrzk',
  'F4s/XJPRXQ92Zr+x5BQKEk2HP7Lk8ZkV44A/F2bVfmJQnj8+/gkL/m6KPzez2D9cVoA/+MQPX3NLRT8+oBUfpb55P0TgvPzQxX8/',
  'bSmEVyHFgD8cmz0ypdRav0CkEmJz0H4/ISohM/GMez/WVr2EdDt9P8yXT/14UV+/CjZlqiOLfz9hU7ryOUR3P2W/jLlWMnw/t+hj',
  'nNoEX78syXRQ+mZ/Pwes1TND+XY/kHCyATGpkz/q2wg/DglSv7AoJSqiwIc/Al36s09PiD8Er1pcd2KSP6fPkq4LxGO/h7LJ3Qzz',
  'iT+XMb8mabGEP9pxwB9zH5I/wk4PHAR5Yr/zh/TQdwWKP1B+eL2g9IM/AGhm95S3qj9aMKkMpiePP2r5XHTjHYc/VaHxAOlrWD9s',
  '7/b4oJR9P861C8kW04M/r0gCLQdmiD8mAN7LqglZv2mj2SeNQoI/vMIX/Cl6gT/u1esnAo+FPzQ13xlI6mC/i4RoqjQYgz/pHm/S',
  'FKd8P+7HRQYk1IQ/xMc4/wXtWr9IFhCuJ6aCP2JqKCfd2Xw/BmL6DI5ybz+ZA3hn0Edlvxi9iHEvTkU/od4c1O/gQ7/4mhlP/VdW',
  'PxC5W34EvFS/tAIPWklFI7+Phdz8UQRFv1ughbDL0lg/YQjOpAylV7+LqozWveEAP8NCE4J5I08/rev/bPdHWz8S/EjOg7FNP+j+',
  'muXcpVi/0Izng1dmWT/tqIxOBDMzP3k1Gn4pzgG/7yvkXggjZT+UU3mE5TVGvxdliKUg+Fo/rp7c+nS5LD+JpqnzKjk5P0xnOATV',
  '5T0/iB8SrcYgTD/7jaj7FVwkP6hMfVNBPyo/dmovs6IZQj/yx7RTeXtHP57pZw1dzIM/eell5zV9gD/UOD1vQIKFPzgBf661Nme/',
  'W6VhC6oihD/EXmLC2wl9PxguN6IhNIU/HLPlaE4Qar/pUBmtdKCEP15NjFc3SXs/dS7vZQ/2lD90XiYgSvCDP0doLgeoQXc/xTiO',
  '37sJRD/p6sINMLZyP2U6U74wtnc/OrY9ozuUeD/xuRyKDrdivyrx5Sa2VXk/Y6i1Ddrdcj90DS5Cyhh1PzDEHkdaCFy/4YDV8VQR',
  'eD+AWbItELpwP6sAWDzSb3Q/PDE7LF63Wr/zyw/gULh3PwZ+0uWW3nA/Vr6HBN2Sgz9+EzPutRuHP/zL2vJ7WV+/z/J0TI6jgz8c',
  'iBOf7J9/PwbYn3Y1noY/SAovayPBXr8qcHuyM5uDP4NCUtqcw34/nzu9nz4pmj/pcTVdwdiIP8hDvn6nvX0/KKviio1PRL/TNECB',
  'KIp6P5ny9vIVa3s/Pwq9fhdSfD9TwdG5/Hwnv+3HJleXdXk/GTL88U2Fez9qe4AUO8N4P7cLQev55Vi/JoAK6ndDfD8WO9BMNOB1',
  'P7RUAMr4uXc/ZD1M2ZhfWL+F+G+VXyF8P/Ep21jlf3U/PXHYT52Tkz/fszQloLFmv3TjG98Xzok/63/zyaZphD+a2ql6RwCTPxum',
  'CZXKK2G/tLoStYRUiT9DQiQSAeWDP23x66MO3aw/MonwjMo6jj9DL4/GxtuGP3k5C8tQiVQ/uQctAZMHfT/egZugSyKDP13+z9NZ',
  'cIc/XIXbU/m3Tr+d7e7Yg++AP0GfUtKxIoE//T9qdcQjhz//Y2Iudpdkv/7+BObxjIM/bw+XyWgEfD/Va9dwXj2GPwfHB+5XDVm/',
  'BHj5oHCUgj/+w6RUQ8Z8P7JFPohS8mg/3nTDQQYEbr+23Due84ZUv63z23uouWK/ZkhV0phkRD+9QPhzmDFlv49dyGhY71+/y29u',
  'ubsZRL+hPmckYMFVv95bj+pAqz6/J22oP/fAKD9Wn///T7FFvw9g1ddTfEW//yGdyS0/Ob8LVtLy3zVRP5LiFOskMFO/DzafT8vy',
  'K78/JsQUuRJGvxCB/l7tjF0/+oUEna/0WL9QqXNkDgkTP8FkKehs6jW/DJXFmKkBQr/e965Ooho3vy+bnAvJC0u/cIbsf0Nahz/1',
  'XyjDT12AP9iIfPIiyIg//H9pv0UCZr/Vzr8agmmGP6fGzf20Z4A/XzDx7y+RmT/Tkch0izCIP+/1gaHjFnw/U5mSunbICr9Ql4oo',
  'KTR4P3tKVq6JWHs/ljKyMy6Nez8+rZRMBfpXvw+8uRw+b3s/RErMUm46eD9qJhuznM15P13L9/a+a2S/ZoEiRtHwfT/aNgpc37Rz',
  'P4MMcqeZU3g/4b5RBZzUVb+YbYS5XmF7P1y5qAk+Y3U/AxdMckLHez8IQe51oz+EP62asBEkZ2G/CXAbJJNNgT8VDk6GPnp5P/RW',
  'EIAy9pc/qoKt6/6/hD/m7Y7Sav14P0Q6WbnzkBK/kbPlBWlFdT+yYNbnbKZ3P1rk9+RzvHg/0kLp2FxiQr9vk0ZY0yx2P2Bm1G4k',
  'fnY/o+zUvpQDdj87tKmmShVRv+Gzyt72kHc/YSI4k24Fcz9mFd4hbod1P7PnvO8HBFy/IxkX92rseD+2aEXbk3txP4+V3mI7ZJM/',
  'EPp+Va6wZb8DQ+VtS92JPzZQGrQoiYM/h+UXvcVxrD84MslRZ6KNP9Z49i00d4Y/VrTKFldvVT9AGtFQGUN8P+SVytm8xoI/E2v3',
  'C1Qhhz8G8J34zt1Lvzcu8D+EcIA/DKfSdpHagD84EpZJMq6GP9twz/y7JV+/xtG1gCmOgj/OvhmSEUR8P4rL6NOgt4Y/XFk8GnrH',
  'Yb8ZziJ71A6DP4SrjAdDdXs/+xkxWGyNbD/pP2TekAFxv4tXVp8hM1K/3a+PqROBQL/lsnpZDx9Wv6v98kfsEjW/Z6SXFAcNPD+X',
  'SnG/4vVJv+rQaPetn0G/7+vT8MNIMr/GnMBkp/hKPxDPKnLqklC/OOVNJHCjNb+lctHsGbZAvwf0ZaIuJC6/aPmLzNBCQ7+k5u5K',
  'wQZIvw4oSw4wW1C/FDxlhf/7Xz+lOphKfNhbv3CPcDxKa/u+yqgevZxViD+Fh9/ZLGt/P6faXkJNhpk/MLwHlezihz8kiy9JqZp7',
  'P5aZRKcl/SO/zcAAPdUkeD/cV1Vkr8h6PxPOE18JKXs/msbSr1VVVr/OgoCUJL96P9AAvd7uJng/EO9J5SFceT+2wDnznedYv4Ow',
  'jHjHs3s/18lI4jQUdT9IG00ITa55P4RkToMH6GS/8RtrxMfsfT+GHHAjpWlzP8Wr2FLiLno/DOh9NiRxlj/EJ9pb9VuEPw7vk7I3',
  'PXg/hqN4KpbHFT9S0yHrLU50P0JY8r39RHc/FVf/d/j5dz+GXe6QY2hDvz/n9eRjvXU/UnzyYbyvdT8d6/phEVF1PxU0+TrzjVq/',
  'zFmCjw0OeD98DYZpSF9xP9d+CNeSR3Q/Jqn/Zie1Tb9DC5iLu5F2P4HGTEnpN3I/J9oATlni6T9UX3fcV+2yP51/eJghY7c//b3f',
  'tEWIdj+JLxKC2vqkP5cV0UBd4as/NJWdxBIcuD83cOx5fdNzP9ISdxcBFqU/ar3LZ1jvqz/0LU8LceC5P/iQnvFPIVy/dY8yJgff',
  'qj8qvTtfpnCoP9lsPNJjabk/8Hlw3Oktd79DTgPTYomsPzt1sot2BqY/A7E8ZgLBmT/XYJBl1OGOP4oak38ZeEQ/7/gU6hVnhz9h',
  'dYh9coKLPxYIDOB5o44/xltltE+3JT9zfO1DC8KHPworvleKuoo/XGi4lEOgjT85HwzZ2iNiv0gS8rsJmIs/FeHf8++dhj/v5GSh',
  'WHSMP48msMLAEWW/hHqdhFTEiz8of7JorLmFP0KqbUSNdZA/U57tjrpcRz/Sl3R/ETWBPxiubcWP2oU/rOBIqSPXjj8K3E4v4epR',
  'P1DyR6gnP4A/IOLYsgz1hD/VclXVgn6NP64tpnrerzq/fFM1Rrghgz808gEvcU2BP0Seemn8Co0/I44vD1TsS79nmO0BIdODP1rr',
  'E0jSUIA/p6CHKEUdbj98IhGo4dhavySzvbcDP1k/KOP31aVzZD/JFCQdkzNdv+No4X6VSlc/d1XkBpmEEL9ziar7OJlcP/ZUp1E3',
  'ugm/jzw5zBI0QT95jRYDB601P6UOn+scj14/cHPEF9wrOz/6euoWGn80P4lgtNAWdUQ/8KcTy3JCfT/W1RplYot6Px5vYB5FbX0/',
  'ANL1QFTpUj91jZArjsp1P512huEoVX0/06rrq/WkfD8gpGH6j9ZLv3n9hxJXUXs/Gv67CrGcdz/7cbSChil7P7auSFVmp1i/5w0W',
  'OuXHfD8asstOmTl1P21FeGXoZYI/f0OjXgAehj9JmQf5yIY1v02qanGaZ34/IEdadN5vgD9Sw04kLCWEP4ASs5lmk1C/581IXtGM',
  'gD8TQZ6yPtp7Pz918P8vpIM/LM9c8z5tU7/QPgK0qcWAP4FAwgHM2no/yEXvp/E2kj9Tn1/O5iQzv0GAzMC2pII/zitFZZ99hT9F',
  '2k5sl/KOP9TjtZvSuTC/2Pbbod0Tgz9Znknp7ayBP/tqaYxqX44/ktyt5AYVT7+K12GLRxSEP4D9duvWQIA/zNdJk+6Raj+aO/to',
  'yvBavzOgHgcOEFQ/S2bFq2QzQj+8BwMancpLP3KVI9Tpvy6/0ZlOF6e5Qj9uKppJxQY+P4ARVFt6gDU/Lan1Gp7FBj++Nl9DbSIs',
  'P9PywXtGYX0/V5ho2gR4ej9imq5eiTB/P2ZW4hNjz1W/NierRprRfD9D9qMrNKx2P4yFVh1pPn4/odf7TsKOVr/nHfNIotZ8PzgQ',
  '0dsHJ3Y/y5UyzAu8gT/8yArzk1mDP2jZzf3c20C/P+LPyx8vfz8uDZWLUW98P6VK2EeUiII/slQUsN+yVL/cH666u3aAPx3Wjm75',
  'nXk/7VMkRN7LkT8xvOqw3q1Qv2NipKonfIQ/gyfjB9hugT9HklVMx3+QP3YbzZcI9VK/Hl6d+CEwhD9oAeBwwMd/P5AqeRd7NmQ/',
  'dVllhiVgYr+AuewwyMMTv5fdWi7thjq/dbAt+b3BQr9RAI614flGv288Jt+f0lK/RpkXWaPxgT8rFqiHMjF6P0HZYjm2koI//pSt',
  '6GmbUr/XyiKAyXeAP/i1HSVnbno/H+gqF3EheT9e/FvcdI6AP904U8owLFq/OV4IS3sefT8bNYuIPQF1PxYB3nJFn5E/LliQpazk',
  'W7/q0OEdxOmEPzTTMe+4gn8/2bMhObzUZj+ImRl2RjNnv3/78aGSTje/G2bbKe8dgz/d+t9Atih5P1fNVEXlNXY/',
].join('')

export interface PristineModel {
  /** [36] */
  readonly mean: Float64Array
  /** [36 36] */
  readonly covariance: Float64Array
}

let unpacked: PristineModel | undefined

export function pristineModel(): PristineModel {
  unpacked ??= unpack()
  return unpacked
}

function unpack(): PristineModel {
  const bytes = Uint8Array.from(atob(packed), (char) => char.charCodeAt(0))
  const values = new Float64Array(bytes.buffer)
  const covariance = new Float64Array(features * features)
  for (let row = 0, at = features; row < features; row++) {
    for (let column = row; column < features; column++, at++) {
      covariance[row * features + column] = values[at]!
      covariance[column * features + row] = values[at]!
    }
  }
  return { mean: values.slice(0, features), covariance }
}
